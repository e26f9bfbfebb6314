/** How a concept can stand in a caption. */
export type ConceptForm = 'clause' | 'gerund' | 'noun';

/** A sound event that the rules know by its words and can say in each form. */
export interface Concept {
  readonly name: string;
  /** Concepts of one family are close to each other: wrong, but not far off. */
  readonly family: string;
  /** A regular expression's alternatives, without groups that capture. */
  readonly words: string;
  readonly subject: string;
  readonly present: string;
  readonly gerund: string;
  readonly noun: string;
}

/** name | family | words | subject | present | gerund | noun; everyday sounds, those of the default model among them. */
const TABLE = `
dog|animal|dogs?|puppy|hounds?|bark(?:s|ing)?|woof\\w*|a dog|barks|barking|a dog bark
cat|animal|cats?|kittens?|meow\\w*|mews?|a cat|meows|meowing|a cat meow
birds|animal|birds?|songbirds?|birdsong|chirping birds|birds|chirp|chirping|birdsong
crow|animal|crows?|ravens?|caw\\w*|a crow|caws|cawing|a crow's caw
horse|animal|horses?|hooves|hoofbeats|a horse|gallops|galloping|horse hooves
crickets|animal|crickets?|cicadas?|insects?|crickets|chirp|chirping|night insects
rooster|animal|roosters?|a rooster|crows|crowing|a rooster's crow
cow|animal|cows?|cattle|a cow|moos|mooing|a cow's moo
sheep|animal|sheep|lambs?|goats?|a sheep|bleats|bleating|bleating sheep
frog|animal|frogs?|toads?|a frog|croaks|croaking|croaking frogs
rain|weather|rain\\w*|downpour|raindrops?|rain|falls|falling|rainfall
thunder|weather|thunder\\w*|lightning|thunder|rumbles|rumbling|a clap of thunder
wind|weather|wind(?!\\s+chimes?)|breeze|gusts?|wind|blows|blowing|a strong wind
waves|water|waves?|surf|ocean|sea|waves|crash|crashing|ocean waves
stream|water|streams?|rivers?|brooks?|a stream|flows|flowing|a flowing stream
drip|water|drip\\w*|tap|faucet|drops of water|water drops|water|drips|dripping|dripping water
fire|water|fires?|campfire|flames?|fireplace|a fire|crackles|crackling|a crackling fire
engine|vehicle|engines?|motors?|trucks?|an engine|runs|running|an idling engine
car|vehicle|cars?(?!\\s+(?:horn|alarm))|vehicles?|traffic|race cars?|a car|passes by|passing by|a passing car
motorcycle|vehicle|motorcycles?|motorbikes?|bikes?|a motorcycle|revs|revving|a revving motorcycle
train|vehicle|trains?|locomotive|a train|passes|passing|a passing train
helicopter|vehicle|helicopters?|chopper|rotors?|a helicopter|flies overhead|flying overhead|a helicopter
aeroplane|vehicle|(?:air|aero)planes?|planes?|jets?|aircraft|an aeroplane|flies by|flying by|a passing aeroplane
horn|signal|horns?|honk\\w*|a car horn|honks|honking|a car horn
siren|signal|sirens?|ambulance|police|fire truck|a siren|wails|wailing|an emergency siren
alarm|signal|alarms?|beep\\w*|an alarm|beeps|beeping|an alarm clock
telephone|signal|telephones?|phones?|a telephone|rings|ringing|a ringing telephone
bell|signal|bells?|a bell|rings|ringing|a church bell
whistle|signal|whistles?|a whistle|blows|blowing|a whistle
chimes|signal|chimes?|wind chimes|tinkle|tinkling|tinkling chimes
clock|machine|clocks?|tick\\w*|tock|a clock|ticks|ticking|a ticking clock
typing|machine|typ(?:es|ing)|typist|keyboards?|someone|types on a keyboard|typing on a keyboard|keyboard typing
sewing machine|machine|sewing machines?|a sewing machine|runs|running|a running sewing machine
vacuum cleaner|machine|vacuum\\w*|a vacuum cleaner|hums|humming|a humming vacuum cleaner
drill|machine|drills?|a drill|whirs|whirring|a whirring drill
saw|machine|saws?|chainsaws?|a saw|cuts wood|cutting wood|a running saw
door|impact|doors?|a door|slams|slamming|a slamming door
footsteps|impact|footsteps?|steps|someone walks?|walking|someone|walks|walking|footsteps
hammer|impact|hammers?|hammering|a hammer|strikes|striking|hammer blows
glass|impact|glass|glass|breaks|breaking|breaking glass
gunshot|impact|guns?|gunshots?|gunfire|pistols?|a gun|fires|firing|gunshots
explosion|impact|explo\\w*|bombs?|blasts?|a bomb|explodes|exploding|an explosion
fireworks|impact|fireworks?|fireworks|pop|popping|popping fireworks
laser|impact|lasers?|ray gun|blasters?|a laser|fires|firing|laser shots
man|voice|man|male|guy|a man|speaks|speaking|a man's voice
woman|voice|woman|female|lady|a woman|speaks|speaking|a woman's voice
child|voice|child(?:ren)?|kids?|boys?|girls?|a child|talks|talking|a child's voice
laughter|voice|laugh\\w*|chuckl\\w*|giggl\\w*|people|laugh|laughing|loud laughter
scream|voice|scream\\w*|shriek\\w*|a woman|screams|screaming|a scream
baby|voice|bab(?:y|ies)|infants?|a baby|cries|crying|a crying baby
crowd|voice|crowds?|applau\\w*|audience|clapping|people clap|spectators|a crowd|applauds|applauding|applause
cheering|voice|cheer\\w*|fans|people|cheer|cheering|cheering people
cough|voice|cough\\w*|sneez\\w*|a man|coughs|coughing|coughing
heartbeat|voice|heart\\w*|a heart|beats|beating|a heartbeat
piano|music|pianos?|pianist|a piano|plays|playing|piano music
guitar|music|guitars?|guitarist|a guitar|strums|strumming|guitar music
flute|music|flutes?|flutist|a flute|plays|playing|flute music
violin|music|violins?|fiddles?|violinist|fiddler|a violin|plays|playing|violin music
trumpet|music|trumpets?|bugles?|a trumpet|plays|playing|trumpet music
drums|music|drums?|drummer|drumming|drums|beat|beating|a drum beat
organ|music|organs?|an organ|plays|playing|organ music
`;

function parseTable(): readonly Concept[] {
  return TABLE.trim()
    .split('\n')
    .map((line) => {
      const cells = line.split('|');
      const [name, family] = cells as [string, string];
      const [subject, present, gerund, noun] = cells.slice(-4) as [string, string, string, string];
      // Alternatives inside a group hold bars of their own, so the words are what lies between.
      const words = cells.slice(2, -4).join('|');
      return { name, family, words, subject, present, gerund, noun };
    });
}

export const VOCABULARY: readonly Concept[] = parseTable();

export function sayConcept(concept: Concept, form: ConceptForm): string {
  const { subject, present, gerund, noun } = concept;
  return form === 'noun' ? noun : `${subject} ${form === 'clause' ? present : gerund}`;
}

/** Who speaks says less than what is heard: "a woman screams" is a scream. */
const SPEAKERS: readonly string[] = ['man', 'woman', 'child'];

/** One expression with a group for each concept: 15,000 captions are searched in a moment, one by one they are not. */
function finderOf(concepts: readonly Concept[]): (text: string) => Concept | null {
  const pattern = new RegExp(`\\b(?:${concepts.map(({ words }) => `(${words})`).join('|')})\\b`, 'i');
  return (text) => {
    const groups = pattern.exec(text)?.slice(1);
    return groups ? concepts[groups.findIndex((group) => group !== undefined)]! : null;
  };
}

const isSpeaker = ({ name }: Concept): boolean => SPEAKERS.includes(name);
const findSound = finderOf(VOCABULARY.filter((concept) => !isSpeaker(concept)));
const findSpeaker = finderOf(VOCABULARY.filter(isSpeaker));

/** The concept whose word stands first in the text, a speaker only when there is no other. */
export function findConcept(text: string): Concept | null {
  return findSound(text) ?? findSpeaker(text);
}
