"""The classes: what each is called in a caption, how its event is laid out in time, and where its sound comes from.

Sources and licences:
- FluidR3 GM/GS sound fonts (Debian fluid-soundfont-gm, fluid-soundfont-gs), (c) Frank Wen, MIT.
- sonic-pi-samples (Debian): only `misc_crow.flac`, (c) davidworksonline, CC0.
- espeak-ng (Debian, GPL-3 program) and flite (Debian, BSD-like) as programs that speak; their output carries no licence.
- procedural synthesis in synth.py.
"""
from __future__ import annotations

from dataclasses import dataclass, field

SONIC_PI = "/usr/share/sonic-pi/samples/"


@dataclass(frozen=True)
class SoundClass:
    """`hit` events repeat short units with a gap; `loop` events are cut from a long texture.

    clauses are "subject|present|gerund"; nouns are noun phrases that stand alone.
    fonts are (bank, program) effects; instruments are (bank, program) with the tones they play, in Hz (see synth.GRID).
    `tune` moves a steady effect to the nearest multiple of synth.GRID.
    """
    name: str
    kind: str
    clauses: tuple[str, ...]
    nouns: tuple[str, ...]
    fonts: tuple[tuple[int, int], ...] = ()
    instruments: tuple[tuple[int, int], ...] = ()
    tones: tuple[int, ...] = ()
    synth: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    voices: str = ""
    gap: tuple[float, float] = (0.1, 0.4)
    repeats: tuple[int, int] = (1, 4)
    unit: float = 2.0
    held: float = 1.0
    melody: bool = False
    tune: bool = False
    pitched: bool = False
    gain_db: float = 0.0
    transpose: tuple[int, ...] = field(default=(-3, -2, -1, 0, 1, 2, 3))


def _c(name: str, kind: str, clauses: str, nouns: str, **options) -> SoundClass:
    return SoundClass(name, kind, tuple(clauses.split("; ")), tuple(nouns.split("; ")), **options)


CLASSES: tuple[SoundClass, ...] = (
    _c("dog", "hit", "a dog|barks|barking; dogs|bark|barking; a puppy|barks|barking; a hound|barks|barking; "
       "the dog|is barking|barking; a dog|woofs|woofing; a big dog|barks|barking; a small dog|yaps|yapping",
       "barking; a dog bark; dog barks; woofing", fonts=((1, 123),), gap=(0.12, 0.45), repeats=(2, 5), unit=0.55),
    _c("cat", "hit", "a cat|meows|meowing; cats|meow|meowing; a kitten|meows|meowing; the cat|meows|meowing; "
       "a cat|mews|mewing; a cat|cries|crying", "a cat meow; meowing; a meow", synth=("cat",), gap=(0.2, 0.6),
       repeats=(1, 3), unit=1.0, pitched=True),
    _c("birds", "hit", "birds|chirp|chirping; a bird|chirps|chirping; birds|sing|singing; a bird|tweets|tweeting; "
       "a songbird|sings|singing; a bird|whistles|whistling; small birds|tweet|tweeting",
       "birdsong; bird calls; chirping birds; bird chirps", fonts=((0, 123), (3, 123)), gap=(0.05, 0.3),
       repeats=(2, 6), unit=0.8, pitched=True),
    _c("horse", "loop", "a horse|gallops|galloping; horses|gallop|galloping; a horse|runs|running; "
       "a horse|trots|trotting; hooves|clop|clopping; horses|run|running",
       "horse hooves; a galloping horse; hoofbeats", fonts=((2, 123),)),
    _c("crow", "hit", "a crow|caws|cawing; crows|caw|cawing; a raven|croaks|croaking; a crow|calls|calling; "
       "a raven|caws|cawing", "a crow's caw; cawing; crow calls", files=("misc_crow.flac",), gap=(0.15, 0.5),
       repeats=(2, 5), unit=0.6),
    _c("crickets", "loop", "crickets|chirp|chirping; a cricket|chirps|chirping; insects|buzz|buzzing; "
       "crickets|sing|singing; cicadas|chirp|chirping; insects|chirp|chirping",
       "crickets at night; cricket chirps; night insects", synth=("crickets",), pitched=True),
    _c("rain", "loop", "rain|falls|falling; it|rains|raining; rain|pours|pouring; raindrops|fall|falling; "
       "heavy rain|falls|falling; rain|patters|pattering", "rain; rainfall; a downpour; heavy rain; a rain shower",
       fonts=((1, 122),), synth=("rain",)),
    _c("thunder", "hit", "thunder|rumbles|rumbling; thunder|roars|roaring; thunder|claps|clapping; "
       "thunder|cracks|cracking; a thunderstorm|rumbles|rumbling; lightning|strikes|striking",
       "thunder; a clap of thunder; a thunderclap; rolling thunder", synth=("thunder",), gap=(0.0, 0.3),
       repeats=(1, 2), unit=4.0),
    _c("wind", "loop", "wind|blows|blowing; the wind|blows|blowing; strong wind|howls|howling; "
       "the wind|howls|howling; a breeze|blows|blowing; wind|gusts|gusting", "wind; a strong wind; howling wind",
       fonts=((3, 122),), synth=("wind",)),
    _c("waves", "loop", "waves|crash|crashing; sea waves|roll|rolling; ocean waves|crash|crashing; "
       "the sea|roars|roaring; the surf|breaks|breaking; waves|lap|lapping",
       "ocean waves; sea waves; the ocean; waves on a beach; the surf", fonts=((0, 122),)),
    _c("drip", "hit", "water|drips|dripping; a tap|drips|dripping; a faucet|drips|dripping; drops of water|fall|falling; "
       "water drops|fall|falling; a leaky tap|drips|dripping", "dripping water; water drops; a dripping faucet",
       synth=("drip",), gap=(0.15, 0.5), repeats=(3, 9), unit=0.24, melody=True),
    _c("fire", "loop", "a fire|crackles|crackling; fire|burns|burning; a campfire|crackles|crackling; "
       "flames|crackle|crackling; a fireplace|crackles|crackling; wood|burns|burning",
       "a crackling fire; a campfire; a log fire", synth=("fire",)),
    _c("engine", "loop", "an engine|runs|running; a car engine|idles|idling; an engine|rumbles|rumbling; "
       "a motor|runs|running; a car|starts|starting; a truck|idles|idling; an engine|starts|starting",
       "an engine; a car engine; an idling engine; a motor", fonts=((1, 125),)),
    _c("car_pass", "hit", "a car|passes by|passing by; a car|drives by|driving by; a vehicle|passes|passing; "
       "a car|speeds past|speeding past; traffic|passes by|passing by; a race car|zooms past|zooming past",
       "a passing car; a car driving past; passing traffic", fonts=((3, 125),), gap=(0.0, 0.2), repeats=(1, 2),
       unit=3.6),
    _c("car_horn", "hit", "a car horn|honks|honking; a car|honks|honking; a horn|honks|honking; a car|beeps|beeping; "
       "a driver|honks|honking; a vehicle horn|blares|blaring", "a car horn; honking; a horn honk",
       synth=("car_horn",), gap=(0.12, 0.5), repeats=(1, 4), unit=0.95, pitched=True),
    _c("siren", "loop", "a siren|wails|wailing; an ambulance siren|wails|wailing; a police siren|sounds|sounding; "
       "sirens|wail|wailing; a fire truck|passes with its siren|passing with its siren; "
       "an emergency vehicle|wails|wailing; a siren|blares|blaring",
       "a siren; a police siren; an ambulance; an emergency siren", synth=("siren_two_tone", "siren_wail"),
       pitched=True),
    _c("train", "loop", "a train|passes|passing; a train|runs on its tracks|running on its tracks; a train|goes by|going by; "
       "a train|clatters|clattering; a locomotive|rolls by|rolling by; a train|clacks|clacking",
       "a train; a passing train; train tracks; a steam train", synth=("train",)),
    _c("helicopter", "loop", "a helicopter|flies|flying; a helicopter|hovers|hovering; a helicopter|passes overhead|"
       "passing overhead; a chopper|flies by|flying by; helicopter blades|spin|spinning; rotors|whirl|whirling",
       "a helicopter; helicopter rotors; a chopper", fonts=((0, 125),)),
    _c("telephone", "hit", "a telephone|rings|ringing; a phone|rings|ringing; the phone|rings|ringing; "
       "telephones|ring|ringing; an old telephone|rings|ringing; the telephone|rings|ringing",
       "a telephone; a ringing phone; a phone ring; a telephone bell", synth=("bell_phone", "trill_phone"),
       gap=(0.25, 0.6), repeats=(1, 3), unit=1.3, pitched=True),
    _c("door_creak", "hit", "a door|creaks|creaking; a door|squeaks|squeaking; an old door|creaks open|creaking open; "
       "a hinge|creaks|creaking; a door|opens slowly|opening slowly", "a creaking door; a squeaky door; a door creak",
       fonts=((2, 124),), gap=(0.15, 0.5), repeats=(1, 2), unit=2.0, tune=True, pitched=True),
    _c("door_slam", "hit", "a door|slams|slamming; a door|slams shut|slamming shut; a door|closes|closing; "
       "someone|slams a door|slamming a door; a door|bangs|banging; a door|shuts|shutting",
       "a door slam; a slamming door", synth=("door_slam",), gap=(0.25, 0.7), repeats=(1, 3), unit=0.5),
    _c("footsteps", "hit", "someone|walks|walking; footsteps|approach|approaching; a person|walks|walking; "
       "feet|step|stepping; footsteps|echo|echoing; a man|walks|walking; someone|is walking|walking",
       "footsteps; steps; walking", fonts=((5, 126),), gap=(0.2, 0.42), repeats=(4, 9), unit=0.3),
    _c("clock", "loop", "a clock|ticks|ticking; the clock|ticks|ticking; a watch|ticks|ticking; "
       "a timer|ticks|ticking; a wall clock|ticks|ticking", "a ticking clock; ticking; tick tock", synth=("clock",)),
    _c("alarm", "loop", "an alarm|beeps|beeping; an alarm clock|beeps|beeping; an alarm|goes off|going off; "
       "an alarm|sounds|sounding; a smoke alarm|beeps|beeping; a digital alarm|beeps|beeping; a device|beeps|beeping",
       "an alarm; beeping; an alarm clock; electronic beeps", synth=("alarm",), pitched=True),
    _c("typing", "loop", "someone|types on a keyboard|typing on a keyboard; a keyboard|clicks|clicking; "
       "a person|types|typing; keys|click|clicking; a typist|types|typing; a computer keyboard|clacks|clacking",
       "typing; a keyboard; keyboard typing; computer keys", synth=("typing",)),
    _c("chimes", "loop", "wind chimes|ring|ringing; wind chimes|tinkle|tinkling; chimes|tinkle|tinkling; "
       "chimes|sway|swaying; wind chimes|jingle|jingling", "wind chimes; chimes; tinkling chimes",
       synth=("wind_chimes",), pitched=True),
    _c("heartbeat", "hit", "a heart|beats|beating; a heart|pounds|pounding; a heart|thumps|thumping; "
       "a heartbeat|thumps|thumping; a human heart|beats|beating", "a heartbeat; heartbeats; a beating heart",
       fonts=((4, 126),), synth=("heartbeat",), gap=(0.1, 0.35), repeats=(3, 7), unit=0.65),
    _c("laugh", "hit", "a man|laughs|laughing; someone|laughs|laughing; a person|laughs|laughing; people|laugh|laughing; "
       "a guy|chuckles|chuckling; someone|giggles|giggling", "laughter; a laugh; loud laughter", fonts=((1, 126),),
       gap=(0.1, 0.4), repeats=(1, 3), unit=1.4, pitched=True),
    _c("scream", "hit", "a woman|screams|screaming; someone|screams|screaming; a person|screams|screaming; "
       "a girl|shrieks|shrieking; a lady|screams|screaming; people|scream|screaming", "a scream; screaming; a shriek",
       fonts=((2, 126),), gap=(0.15, 0.5), repeats=(1, 3), unit=1.4, tune=True, pitched=True),
    _c("applause", "loop", "a crowd|applauds|applauding; people|clap|clapping; an audience|claps|clapping; "
       "an audience|applauds|applauding; a crowd|claps|clapping; people|applaud|applauding",
       "applause; clapping; an applauding crowd", fonts=((0, 126),)),
    _c("man", "loop", "a man|speaks|speaking; a man|talks|talking; a male|speaks|speaking; a male voice|speaks|speaking; "
       "a guy|talks|talking; an adult male|speaks|speaking; the man|talks|talking",
       "a man's voice; male speech; a man speech", voices="man", pitched=True),
    _c("woman", "loop", "a woman|speaks|speaking; a woman|talks|talking; a female|speaks|speaking; "
       "a female voice|speaks|speaking; a lady|talks|talking; an adult female|speaks|speaking; the woman|talks|talking",
       "a woman's voice; female speech; a woman speech", voices="woman", pitched=True),
    _c("gunshot", "hit", "a gun|fires|firing; a gun|shoots|shooting; someone|shoots a gun|shooting a gun; "
       "gunshots|ring out|ringing out; a gunshot|rings out|ringing out; a pistol|fires|firing; guns|fire|firing",
       "gunshots; a gunshot; gunfire; shooting", fonts=((0, 127),), gap=(0.0, 0.25), repeats=(2, 4), unit=0.55),
    _c("laser", "hit", "a laser|fires|firing; a laser gun|shoots|shooting; lasers|zap|zapping; a ray gun|zaps|zapping; "
       "a spaceship|fires lasers|firing lasers; a blaster|fires|firing", "laser shots; a laser; laser zaps; a laser gun",
       synth=("laser",), gap=(0.08, 0.35), repeats=(2, 6), unit=0.4),
    _c("explosion", "hit", "a bomb|explodes|exploding; something|explodes|exploding; an explosion|booms|booming; "
       "a bomb|goes off|going off; an explosion|erupts|erupting; a blast|booms|booming",
       "an explosion; a big explosion; a blast; explosions", fonts=((3, 127),), gap=(0.2, 0.6), repeats=(1, 2),
       unit=1.3),
    _c("piano", "hit", "a piano|plays|playing; someone|plays the piano|playing the piano; a pianist|plays|playing; "
       "a grand piano|plays|playing; a person|plays piano|playing piano; the piano|plays|playing",
       "piano music; a piano; a piano melody; piano notes", instruments=((0, 0), (0, 1)),
       tones=(200, 300, 400, 500, 600, 800, 900, 1000), gap=(-0.45, -0.1), repeats=(4, 12), unit=0.8, held=0.45,
       melody=True, pitched=True),
    _c("guitar", "hit", "a guitar|plays|playing; someone|strums a guitar|strumming a guitar; a guitarist|plays|playing; "
       "an acoustic guitar|plays|playing; a man|plays the guitar|playing the guitar; a guitar|strums|strumming",
       "guitar music; a guitar; an acoustic guitar; guitar chords", instruments=((0, 24), (0, 25)),
       tones=(100, 200, 300), gap=(-0.5, -0.1), repeats=(3, 8), unit=1.1, held=0.9, melody=True, pitched=True),
    _c("flute", "hit", "a flute|plays|playing; someone|plays the flute|playing the flute; a flutist|plays|playing; "
       "a flute|trills|trilling; a person|plays a flute|playing a flute", "flute music; a flute; a flute melody",
       instruments=((0, 73),), tones=(500, 600, 700, 800, 900, 1000, 1200), gap=(-0.12, 0.0), repeats=(3, 9), unit=0.6,
       held=0.45, melody=True, pitched=True),
    _c("violin", "hit", "a violin|plays|playing; someone|plays the violin|playing the violin; a violinist|plays|playing; "
       "a fiddle|plays|playing; a fiddler|plays|playing; a person|plays a violin|playing a violin",
       "violin music; a violin; a violin melody", instruments=((0, 40), (0, 110)),
       tones=(300, 400, 500, 600, 700, 800), gap=(-0.1, 0.0), repeats=(3, 7), unit=0.8, held=0.65, melody=True,
       pitched=True),
    _c("trumpet", "hit", "a trumpet|plays|playing; someone|plays the trumpet|playing the trumpet; "
       "a trumpet|blares|blaring; a trumpeter|plays|playing; a bugle|sounds|sounding",
       "trumpet music; a trumpet; a trumpet fanfare", instruments=((0, 56),), tones=(300, 400, 500, 600, 700),
       gap=(-0.08, 0.02), repeats=(3, 8), unit=0.55, held=0.4, melody=True, pitched=True),
    _c("bell", "hit", "a church bell|rings|ringing; a bell|rings|ringing; church bells|ring|ringing; "
       "a bell|tolls|tolling; bells|toll|tolling; a large bell|chimes|chiming", "a church bell; bells; a tolling bell",
       synth=("church_bell",), gap=(-1.2, -0.7), repeats=(2, 4), unit=2.6, pitched=True),
    _c("drums", "loop", "drums|play|playing; a drummer|plays|playing; someone|plays the drums|playing the drums; "
       "a drum|beats|beating; a drum kit|plays|playing; drums|beat|beating",
       "drums; a drum beat; drumming; a drum solo"),
)
NAMES = tuple(c.name for c in CLASSES)
BY_NAME = {c.name: c for c in CLASSES}
