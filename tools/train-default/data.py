"""Reading the rendered clips: random segments around events for the vocoder and crops for the VAE."""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from mel import FFT, HOP, RATE
from sounds import BY_NAME


class Clips:
    """clips-<frames> of a work directory, memory-mapped."""

    def __init__(self, work: Path, name: str) -> None:
        self.pcm = np.load(work / f"{name}.npy", mmap_mode="r")
        self.rows = json.loads((work / f"{name}.json").read_text())
        spans = [(i, span[1], span[2], 2.0 if BY_NAME[span[0]].pitched else 1.0)
                 for i, row in enumerate(self.rows) for span in row["spans"]]
        self.spans = np.array([s[:3] for s in spans])
        weights = np.array([s[3] for s in spans])
        self.cumulative = np.cumsum(weights / weights.sum())

    def __len__(self) -> int:
        return len(self.rows)

    def waves(self, indices: np.ndarray) -> torch.Tensor:
        """[B, N] float in [-1, 1]."""
        return torch.from_numpy(self.pcm[np.sort(indices)].astype(np.float32) / 32767)

    def segments(self, rng: np.random.Generator, batch: int, frames: int) -> torch.Tensor:
        """[B, frames * 160 + 1024]: segments that touch a random event, with the mel's context on both sides."""
        out = np.zeros((batch, frames * HOP + FFT), np.float32)
        total = self.pcm.shape[1] // HOP
        picks = np.searchsorted(self.cumulative, rng.random(batch))
        for row, (clip, start, end) in zip(out, self.spans[picks]):
            first, last = int(start * RATE / HOP) - frames // 4, int(end * RATE / HOP) - frames // 2
            at = int(np.clip(rng.integers(first, max(first + 1, last)), 0, total - frames))
            low, high = at * HOP - FFT // 2, (at + frames) * HOP + FFT // 2
            a, b = max(0, low), min(self.pcm.shape[1], high)
            row[a - low:a - low + b - a] = self.pcm[int(clip), a:b].astype(np.float32) / 32767
        return torch.from_numpy(out)
