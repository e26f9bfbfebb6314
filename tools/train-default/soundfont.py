"""Notes of a General MIDI sound font as waveforms: writes a MIDI file, lets fluidsynth render it, cuts it up."""
from __future__ import annotations

import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from synth import RATE

FONTS = [f"/usr/share/sounds/sf2/{name}.sf2" for name in ("FluidR3_GM", "FluidR3_GS")]
DRUM_CHANNEL = 9


@dataclass(frozen=True)
class Phrase:
    """Notes played on one preset: (start, length, key, velocity), rendered into `duration` seconds."""
    bank: int
    program: int
    notes: tuple[tuple[float, float, int, int], ...]
    duration: float
    drums: bool = False


def _length(n: int) -> bytes:
    out = [n & 127]
    while n := n >> 7:
        out.append(128 | n & 127)
    return bytes(reversed(out))


def _midi(events: list[tuple[float, bytes]]) -> bytes:
    """Single-track file with one tick a millisecond."""
    track, now = _length(0) + b"\xff\x51\x03" + (500_000).to_bytes(3, "big"), 0
    for at, message in sorted(events, key=lambda event: event[0]):
        tick = round(at * 1000)
        track, now = track + _length(tick - now) + message, tick
    track += _length(0) + b"\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 500) + b"MTrk" + struct.pack(">I", len(track)) + track


def render(phrases: list[Phrase], folder: Path) -> list[np.ndarray]:
    """All phrases in one fluidsynth run, each with 1.5 s of silence after it so that tails do not meet."""
    events, starts, now = [], [], 0.2
    for p in phrases:
        channel = DRUM_CHANNEL if p.drums else 0
        events.append((now - 0.1, bytes([0xB0 | channel, 0, 0 if p.drums else p.bank])))
        events.append((now - 0.09, bytes([0xC0 | channel, p.program])))
        events.append((now - 0.05, bytes([0xB0 | channel, 7, 110])))
        for at, length, key, velocity in p.notes:
            events.append((now + at, bytes([0x90 | channel, key, velocity])))
            events.append((now + at + length, bytes([0x80 | channel, key, 0])))
        starts.append(now)
        now += p.duration + 1.5
        events.append((now - 0.2, bytes([0xB0 | channel, 120, 0])))  # all sound off
    midi, wav = folder / "phrases.mid", folder / "phrases.wav"
    midi.write_bytes(_midi(events))
    subprocess.run(["fluidsynth", "-ni", "-q", "-R", "0", "-C", "0", "-g", "0.5", "-r", str(RATE),
                    "-o", "synth.midi-bank-select=gs", "-F", str(wav), *FONTS, str(midi)],
                   check=True, capture_output=True)
    audio, _ = soundfile.read(wav, dtype="float32")
    mono = audio.mean(1)
    wav.unlink()
    midi.unlink()
    return [mono[int(s * RATE):int((s + p.duration) * RATE)] for s, p in zip(starts, phrases)]
