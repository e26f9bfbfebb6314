"""Stage `render`: scenes laid out in time and mixed from the bank, with what happens when.

Writes clips-<frames>.npy (int16, one clip a row) and clips-<frames>.json (relation, events, spans) for each length.
Waves follow Tango's preparation: 16 kHz mono, mean removed, peak 0.5.
"""
from __future__ import annotations

import json
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from captions import held_out_pairs, random_scene
from sounds import BY_NAME, NAMES, SoundClass
from synth import RATE

HOP = 160
Span = tuple[str, float, float]


class Bank:
    """Waveforms by class and split; memory-mapped, so that workers share it."""

    def __init__(self, work: Path, test: bool) -> None:
        self.pcm = np.load(work / "bank.npy", mmap_mode="r")
        self.sources: dict[str, dict[str, list[tuple[int, int]]]] = {name: {} for name in NAMES}
        for row in json.loads((work / "bank.json").read_text()):
            if row["test"] == test:
                units = self.sources[row["class"]].setdefault(row["source"], [])
                units.append((row["start"], row["length"]))

    def pick(self, name: str, rng: np.random.Generator) -> list[tuple[int, int]]:
        """All units of one random source."""
        sources = list(self.sources[name].values())
        return sources[rng.integers(len(sources))]

    def wave(self, unit: tuple[int, int]) -> np.ndarray:
        return self.pcm[unit[0]:unit[0] + unit[1]].astype(np.float32) / 32767


def fade(x: np.ndarray, seconds_in: float, seconds_out: float) -> np.ndarray:
    x = x.copy()
    i, o = min(len(x), int(seconds_in * RATE)), min(len(x), int(seconds_out * RATE))
    if i:
        x[:i] *= np.linspace(0, 1, i)
    if o:
        x[-o:] *= np.linspace(1, 0, o)
    return x


def event(c: SoundClass, seconds: float, bank: Bank, rng: np.random.Generator) -> np.ndarray:
    """One event that lasts at most `seconds`."""
    n = int(seconds * RATE)
    units = bank.pick(c.name, rng)
    if c.kind == "loop":
        x = bank.wave(units[rng.integers(len(units))])
        if len(x) > n:
            start = 0 if rng.random() < 0.4 else rng.integers(0, len(x) - n)
            x = x[start:start + n]
        return fade(x, 0.03, 0.12)
    out = np.zeros(n, np.float32)
    count = int(rng.integers(c.repeats[0], c.repeats[1] + 1) * max(1.0, seconds / 3.0))
    unit, at, end = units[rng.integers(len(units))], 0, 0
    gap = rng.uniform(*c.gap)
    for _ in range(count):
        if c.melody:
            unit = units[rng.integers(len(units))]
        x = bank.wave(unit)
        room = n - at
        if at and room < 0.6 * min(len(x), 1.2 * RATE):
            break
        x = fade(x[:room], 0.0, 0.08) if len(x) > room else x
        out[at:at + len(x)] += x
        end = max(end, at + len(x))
        at += max(int(0.08 * RATE), len(bank.wave(unit)) + int((gap + rng.normal(0, 0.02)) * RATE))
        if at >= n:
            break
    return out[:end]


def layout(relation: str, total: float, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Start and longest duration of each event."""
    lead = rng.uniform(0.0, 0.06) * total
    if relation == "single":
        start = rng.uniform(0, 0.15) * total if rng.random() < 0.6 else 0.0
        return [(start, total - start)]
    if relation == "while":
        return [(lead, total - lead), (rng.uniform(0.0, 0.1) * total, 0.9 * total)]
    gap = rng.uniform(0.0, 0.035) * total
    if relation == "then":
        cut = rng.uniform(0.4, 0.6) * total
        return [(lead, cut - lead), (cut + gap, total - cut - gap)]
    if relation == "while_then":
        cut = rng.uniform(0.5, 0.6) * total
        return [(lead, cut - lead), (lead, cut - lead), (cut + gap, total - cut - gap)]
    one, two = rng.uniform(0.31, 0.36) * total, rng.uniform(0.64, 0.69) * total
    return [(lead, one - lead), (one + gap, two - one - gap), (two + gap, total - two - gap)]


def mix(relation: str, events: list[str], total: float, bank: Bank,
        rng: np.random.Generator) -> tuple[np.ndarray, list[Span]]:
    """Waveform of a scene and the span of each event."""
    out = np.zeros(int(total * RATE), np.float32)
    spans = []
    for name, (start, longest) in zip(events, layout(relation, total, rng)):
        x = event(BY_NAME[name], longest, bank, rng)
        i = int(start * RATE)
        x = x[:len(out) - i]
        out[i:i + len(x)] += x * 10 ** ((rng.uniform(-3, 3) + BY_NAME[name].gain_db) / 20)
        spans.append((name, start, start + len(x) / RATE))
    out -= out.mean()
    return 0.5 * out / max(1e-5, np.abs(out).max()), spans


_bank: Bank


def _start(work: Path, test: bool) -> None:
    global _bank
    _bank = Bank(work, test)


def _one(job: tuple[str, list[str], float, int]) -> tuple[np.ndarray, list[Span]]:
    relation, events, total, seed = job
    wave, spans = mix(relation, events, total, _bank, np.random.default_rng(seed))
    return np.round(wave * 32767).astype(np.int16), spans


def render_scenes(work: Path, name: str, scenes: list[tuple[str, list[str]]], frames: int, seed: int,
                  test: bool, workers: int = 2) -> None:
    """Renders scenes to <name>.npy and <name>.json unless they are there."""
    if (work / f"{name}.json").exists():
        return
    total = frames * HOP / RATE
    rng = np.random.default_rng(seed)
    jobs = [(relation, events, total, int(rng.integers(2 ** 40))) for relation, events in scenes]
    rows = []
    waves = np.lib.format.open_memmap(work / f"{name}.npy", "w+", np.int16, (len(jobs), frames * HOP))
    with Pool(workers, _start, (work, test)) as pool:
        for i, (wave, spans) in enumerate(pool.imap(_one, jobs, chunksize=32)):
            waves[i] = wave
            rows.append({"relation": jobs[i][0], "events": jobs[i][1], "spans": spans})
    waves.flush()
    (work / f"{name}.json").write_text(json.dumps(rows))
    print(f"render: {len(jobs)} clips of {total:.2f} s as {name}")


def render_training_set(work: Path, sizes: dict[int, tuple[int, tuple[float, ...]]], seed: int) -> None:
    """sizes: frames -> (number of clips, weights of the relations)."""
    held_out = held_out_pairs(seed)
    for frames, (count, weights) in sizes.items():
        rng = np.random.default_rng([seed, frames])
        scenes = [random_scene(rng, weights, held_out) for _ in range(count)]
        render_scenes(work, f"clips-{frames}", scenes, frames, seed * 1000 + frames, test=False)
