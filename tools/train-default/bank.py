"""Stage `bank`: every class's units and textures as 16 kHz waveforms, each marked for training or for test.

A "source" is one recording: a preset at one transposition, a voice, or a seed of a procedural sound. Test sources
(other transpositions, other voices and sentences, other seeds) are never heard in training.
"""
from __future__ import annotations

import json
import subprocess
from pathlib import Path

import librosa
import numpy as np
import soundfile
import soxr

from soundfont import Phrase, render
from sounds import CLASSES, SONIC_PI, SoundClass
from synth import PROCEDURAL, RATE, band, on_grid

LOOP_SECONDS = 10.6
TEST_TRANSPOSE = (-2, 2)
SYNTH_SEEDS = 14
TEST_SEEDS = 4
SENTENCES = (
    "good morning everyone and welcome to the meeting today we will talk about the plan for next week",
    "the weather will be mild tomorrow with some clouds in the evening and a little sunshine after noon",
    "please remember to bring your books and papers because the library closes early on friday",
    "i think that we should go home now before it gets dark and the road becomes hard to see",
    "this is a short story about a boy who lived near the river and liked to watch the boats",
    "she told me that the new house has five rooms a large garden and a view over the hills",
)
TEST_SENTENCES = (
    "turn left at the second corner then walk straight ahead until you reach the old station",
    "we have been waiting for a long time and nobody knows when the next bus will arrive",
)
VOICES = {
    "man": (["espeak:en-us+m1", "espeak:en-us+m3", "espeak:en-gb+m7", "flite:rms", "flite:kal16"],
            ["espeak:en-us+m2", "flite:awb"]),
    "woman": (["espeak:en-us+f1", "espeak:en-us+f3", "espeak:en-gb+f4", "flite:slt"], ["espeak:en-us+f2"]),
}
VOICE_TONES = {"man": 100.0, "woman": 200.0}
DRUM_PATTERNS = (  # 16 steps: kick, snare, hi-hat
    ("x.......x.......", "....x.......x...", "x.x.x.x.x.x.x.x."),
    ("x.....x.x.......", "....x..x....x...", "x.x.x.x.x.x.x.x."),
    ("x..x..x...x.....", "....x.......x.x.", "xxxxxxxxxxxxxxxx"),
    ("x...x...x...x...", "....x.......x...", "..x...x...x...x."),
)
DRUM_KITS = (0, 8, 16, 32)


def trim(x: np.ndarray, threshold_db: float = -45.0) -> np.ndarray:
    """Cuts silence at both ends and fades the last 10 ms."""
    level = np.abs(x)
    loud = np.nonzero(level > level.max() * 10 ** (threshold_db / 20))[0]
    y = x[loud[0]:loud[-1] + 1].copy()
    fade = min(160, len(y))
    y[-fade:] *= np.linspace(1, 0, fade)
    return y


def normalise(x: np.ndarray) -> np.ndarray:
    """Equal loudness: the loudest 100 ms of the signal above 80 Hz have RMS 0.1."""
    y = band(x, 80, 9000)
    power = np.convolve(y ** 2, np.ones(1600) / 1600, "full")
    return (x * (0.1 / np.sqrt(power.max() + 1e-12))).astype(np.float32)


def speak(voice: str, sentence: str, tone: float, folder: Path) -> np.ndarray:
    """A sentence on one note, retuned so that its median pitch is `tone` Hz (see synth.GRID)."""
    program, name = voice.split(":")
    path = folder / "speech.wav"
    if program == "espeak":
        flat = f'<speak><prosody range="0">{sentence}</prosody></speak>'
        command = ["espeak-ng", "-v", name, "-m", "-w", str(path), flat]
    else:
        command = ["flite", "-voice", name, "--setf", "int_f0_target_stddev=0", "-t", sentence, "-o", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    audio, rate = soundfile.read(path, dtype="float32")
    path.unlink()
    wave = soxr.resample(audio, rate, RATE)
    pitch, voiced, _ = librosa.pyin(wave, fmin=60, fmax=400, sr=RATE)
    return retune(wave, tone / float(np.median(pitch[voiced])))


def drum_phrases() -> list[tuple[str, bool, Phrase]]:
    out = []
    for kit in DRUM_KITS:
        for p, pattern in enumerate(DRUM_PATTERNS):
            for tempo in (92, 112, 128):
                step = 60 / tempo / 4
                notes = [(k * step, 0.2, key, velocity)
                         for row, key, velocity in zip(pattern, (36, 38, 42), (112, 108, 84))
                         for k in range(int(LOOP_SECONDS / step)) if row[k % 16] == "x"]
                test = (kit, tempo) in ((32, 112), (0, 128))
                out.append((f"kit{kit}-{p}-{tempo}", test, Phrase(0, kit, tuple(notes), LOOP_SECONDS, True)))
    return out


def font_phrases(c: SoundClass) -> list[tuple[str, bool, Phrase]]:
    """Effects: one long or unit-length note per transposition."""
    out = []
    length = LOOP_SECONDS if c.kind == "loop" else c.unit
    for bank, program in c.fonts:
        for shift in c.transpose:
            note = ((0.0, length - 0.05, 60 + shift, 112),)
            out.append((f"{bank}:{program}{shift:+d}", shift in TEST_TRANSPOSE, Phrase(bank, program, note, length)))
    return out


CHORDS = ((1, 2, 3, 4, 5), (1, 2, 3, 4), (2, 3, 4, 5), (1, 3, 4, 5))


def retune(wave: np.ndarray, ratio: float) -> np.ndarray:
    """Raises the pitch by `ratio`."""
    return soxr.resample(wave, RATE * ratio, RATE)


def nearest_grid(wave: np.ndarray) -> float:
    """The ratio that moves the strongest spectral peak to the nearest multiple of the grid."""
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 65536))
    peak = (np.argmax(spectrum[800:]) + 800) * RATE / 65536
    return on_grid(peak) / peak


def instrument_units(c: SoundClass, folder: Path) -> list[tuple[str, bool, np.ndarray]]:
    """Every tone of every preset at three velocities (the middle one is for test); the guitar's are chords."""
    chords = [[tone * k for k in chord] for tone in c.tones for chord in CHORDS] if c.name == "guitar" \
        else [[tone] for tone in c.tones]
    tones = sorted({t for chord in chords for t in chord})
    out = []
    for bank, program in c.instruments:
        for velocity in (80, 104, 92):
            keys = {t: round(69 + 12 * np.log2(t / 440)) for t in tones}
            phrases = [Phrase(bank, program, ((0.0, c.held, key, velocity),), c.unit) for key in keys.values()]
            waves = {t: retune(wave, t / (440 * 2 ** ((key - 69) / 12)))
                     for (t, key), wave in zip(keys.items(), render(phrases, folder))}
            for chord in chords:
                n = int(c.unit * RATE * 1.1)
                mixed = np.zeros(n + RATE)
                for k, tone in enumerate(chord):
                    late = int(0.022 * k * RATE)
                    mixed[late:late + len(waves[tone])] += waves[tone]
                out.append((f"{bank}:{program} v{velocity}", velocity == 92, mixed[:n]))
    return out


def units_of(c: SoundClass, rng: np.random.Generator, folder: Path) -> list[tuple[str, bool, np.ndarray]]:
    """(source, test?, waveform) of everything a class has."""
    if c.name == "drums":
        phrases = drum_phrases()
    else:
        phrases = font_phrases(c)
    units: list[tuple[str, bool, np.ndarray]] = []
    if phrases:
        for (source, test, _), wave in zip(phrases, render([p for *_, p in phrases], folder)):
            units.append((source, test, retune(wave, nearest_grid(wave)) if c.tune else wave))
    if c.instruments:
        units += instrument_units(c, folder)
    for name in c.synth:
        for seed in range(SYNTH_SEEDS):
            source_rng = np.random.default_rng(rng.integers(2 ** 32))
            for _ in range(6 if c.melody else 1):
                units.append((f"{name}#{seed}", seed < TEST_SEEDS, PROCEDURAL[name](source_rng)))
    for name in c.files:
        audio, rate = soundfile.read(SONIC_PI + name, dtype="float32")
        mono = audio.mean(1) if audio.ndim > 1 else audio
        for shift in (-4, -3, *c.transpose, 4):
            wave = soxr.resample(mono, rate * 2 ** (shift / 12), RATE)
            units.append((f"{name}{shift:+d}", shift in TEST_TRANSPOSE, wave))
    if c.voices:
        for test, voices in enumerate(VOICES[c.voices]):
            for voice in voices:
                text = TEST_SENTENCES if test else SENTENCES
                spoken = [speak(voice, s, VOICE_TONES[c.voices], folder) for s in text]
                pairs = [np.concatenate([a, b]) for a, b in zip(spoken, spoken[1:] + spoken[:1])]
                units += [(f"{voice}/{k}", bool(test), wave) for k, wave in enumerate(pairs)]
    return units


def build(work: Path, seed: int) -> None:
    """Writes bank.npy (int16, all units end to end) and bank.json (class, source, test, start, length)."""
    if (work / "bank.json").exists():
        return
    rng = np.random.default_rng(seed)
    waves, index, position = [], [], 0
    for c in CLASSES:
        for source, test, wave in units_of(c, rng, work):
            if np.abs(wave).max() < 1e-4:
                raise ValueError(f"{c.name}: source {source} is silent")
            wave = normalise(trim(wave))
            pcm = np.round(np.clip(wave, -1, 1) * 32767).astype(np.int16)
            index.append({"class": c.name, "source": source, "test": test, "start": position, "length": len(pcm)})
            waves.append(pcm)
            position += len(pcm)
    np.save(work / "bank.npy", np.concatenate(waves))
    (work / "bank.json").write_text(json.dumps(index))
    print(f"bank: {len(index)} units of {len(CLASSES)} classes, {position / RATE / 60:.1f} minutes")
