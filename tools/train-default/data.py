"""Reading the rendered clips: random segments around events for the vocoder and crops for the VAE."""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from mel import FFT, HOP, RATE
from sounds import BY_NAME
from training import device


class Clips:
    """clips-<frames> of a work directory, memory-mapped, or on the GPU."""

    def __init__(self, work: Path, name: str) -> None:
        self.pcm = torch.from_numpy(np.load(work / f"{name}.npy", mmap_mode="c")).to(device())
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
        return self.pcm[torch.from_numpy(np.sort(indices)).to(self.pcm.device)].float() / 32767

    def segments(self, rng: np.random.Generator, batch: int, frames: int) -> torch.Tensor:
        """[B, frames * 160 + 1024]: segments that touch a random event, with the mel's context on both sides."""
        samples = self.pcm.shape[1]
        starts = []
        picks = self.spans[np.searchsorted(self.cumulative, rng.random(batch))]
        for _, start, end in picks:
            first, last = int(start * RATE / HOP) - frames // 4, int(end * RATE / HOP) - frames // 2
            at = int(np.clip(rng.integers(first, max(first + 1, last)), 0, samples // HOP - frames))
            starts.append(at * HOP - FFT // 2)
        rows = torch.from_numpy(picks[:, :1].astype(np.int64)).to(self.pcm.device)
        columns = torch.tensor(starts).unsqueeze(1) + torch.arange(frames * HOP + FFT)
        columns = columns.to(self.pcm.device)
        inside = (columns >= 0) & (columns < samples)
        return self.pcm[rows, columns.clamp(0, samples - 1)].float() / 32767 * inside
