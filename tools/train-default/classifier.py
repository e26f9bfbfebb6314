"""Stage `classifier`: the judge of the evaluation, independent of everything that is judged.

Its own seed and its own renderings of the *training* sources, from audio only: log-mel of the wave, a small CNN that
names the classes present in every 80 ms frame. Ordinary augmentation alone: gain, tilting EQ, noise, masked bands and
times. It never hears a codec, a vocoder or a generated sound. The order of events comes from the centre of mass in
time of the frames of each class.
"""
from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from captions import random_scene
from data import Clips
from mel import HOP, RATE, log_mel
from render import render_scenes
from sounds import NAMES
from training import Ema, core_seconds, device, load_state, mixed_precision, save_state

SEED_OFFSET = 4321
COUNT, WEIGHTS = 6000, (0.45, 0.3, 0.15, 0.07, 0.03)
STRIDE = 8


class Classifier(nn.Module):
    """[B, T, 64] log-mel -> [B, T/8, classes] logits."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        widths = (width, 2 * width, 3 * width, 4 * width, 5 * width)
        strides = ((2, 2), (2, 2), (2, 2), (1, 2), (1, 2))
        layers, last = [], 1
        for w, s in zip(widths, strides):
            layers += [nn.Conv2d(last, w, 3, s, 1, bias=False), nn.BatchNorm2d(w), nn.ReLU(),
                       nn.Conv2d(w, w, 3, 1, 1, bias=False), nn.BatchNorm2d(w), nn.ReLU()]
            last = w
        self.body = nn.Sequential(*layers)
        self.context = nn.Sequential(nn.Conv1d(2 * last, 128, 5, padding=2), nn.ReLU(), nn.Dropout(0.1),
                                     nn.Conv1d(128, 128, 5, padding=4, dilation=2), nn.ReLU())
        self.out = nn.Conv1d(128, len(NAMES), 1)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        x = self.body(((mel.clamp(min=-9) + 5) / 3).unsqueeze(1))
        return self.out(self.context(x.transpose(2, 3).flatten(1, 2))).transpose(1, 2)


def augment(wave: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Gain, noise floor and a gentle random filter, each clip its own."""
    n = len(wave)
    gain = torch.from_numpy(10 ** (rng.uniform(-12, 3, (n, 1)) / 20)).to(wave)
    noise = torch.from_numpy(10 ** rng.uniform(-5, -2.3, (n, 1))).to(wave) * torch.randn_like(wave)
    tilt = torch.from_numpy(rng.uniform(-0.3, 0.3, (n, 1))).to(wave)
    tilted = wave + tilt * F.pad(wave, (1, 0))[:, :-1]
    return tilted * gain + noise


def mask_mel(mel: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Adds a smooth spectral curve; mutes a band and a stretch of time in half of the clips."""
    curve = torch.from_numpy(rng.normal(0, 0.4, (len(mel), 1, 6))).to(mel)
    mel = mel + F.interpolate(curve, size=mel.shape[2], mode="linear", align_corners=True)
    for row in mel:
        if rng.random() < 0.5:
            f, t = rng.integers(0, 56), rng.integers(0, mel.shape[1] - 30)
            row[:, f:f + rng.integers(2, 9)] = -9
            row[t:t + rng.integers(4, 20)] = -9
    return mel


def frame_targets(rows: list[dict], frames: int) -> torch.Tensor:
    out = torch.zeros(len(rows), frames, len(NAMES))
    for target, row in zip(out, rows):
        for name, start, end in row["spans"]:
            a, b = (int(round(x * RATE / HOP / STRIDE)) for x in (start, end))
            target[a:max(a + 1, b), NAMES.index(name)] = 1
    return out


def train(work: Path, seed: int, minutes: float, threads: int = 1) -> None:
    """The judge: own renderings, own seed."""
    rng = np.random.default_rng(seed + SEED_OFFSET)
    scenes = [random_scene(rng, WEIGHTS, set()) for _ in range(COUNT)]
    render_scenes(work, "judge-512", scenes, 512, seed + SEED_OFFSET, test=False)
    fit(work / "classifier.pt", Clips(work, "judge-512"), seed + SEED_OFFSET, minutes, threads=threads)


def fit(path: Path, clips: Clips, seed: int, minutes: float, width: int = 24, batch: int = 16, lr: float = 2e-3,
        threads: int = 1) -> None:
    """Trains a classifier on clips of 5.12 s for `minutes` of core time in all; resumes from `path`."""
    torch.manual_seed(seed)
    batch = batch * 4 if device().type == "cuda" else batch
    torch.set_num_threads(threads)
    rng = np.random.default_rng(seed)
    model = Classifier(width).to(device(), memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr, weight_decay=1e-2, fused=True)
    ema = Ema(model, 0.99)
    parts = {"model": model, "o": optimizer, "ema": ema}
    used, step = load_state(path, parts)
    started, begun, log = core_seconds(), used, []
    while used < minutes * 60:
        picks = np.sort(rng.choice(len(clips), batch, replace=False))
        mel = mask_mel(log_mel(augment(clips.waves(picks), rng)), rng)
        target = frame_targets([clips.rows[i] for i in picks], mel.shape[1] // STRIDE).to(device())
        rate = lr * min(1, (step + 1) / 100) * max(0.02, 0.5 * (1 + math.cos(math.pi * used / (minutes * 60))))
        optimizer.param_groups[0]["lr"] = rate
        with mixed_precision():
            logits = model(mel)
        loss = F.binary_cross_entropy_with_logits(logits.float(), target) * len(NAMES)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ema.update(model)
        step += 1
        used = begun + core_seconds() - started
        log.append(loss.detach())
        if step % 50 == 0:
            print(json.dumps({"step": step, "minutes": round(used / 60, 1), "loss": round(torch.stack(log[-50:]).mean().item(), 4)}),
                  flush=True)
        if step % 300 == 0:
            save_state(path, parts, used, step)
    save_state(path, parts, used, step)


class Judge:
    """Reads a waveform: how strongly each class is heard, and when."""

    def __init__(self, work: Path) -> None:
        self.model = Classifier()
        self.model.load_state_dict(torch.load(work / "classifier.pt", map_location="cpu", weights_only=True)["ema"])
        self.model.eval()

    @torch.no_grad()
    def __call__(self, waves: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        """[B, N] -> score [B, classes] (mean of the 10 best frames) and centre in time [B, classes] in seconds."""
        scores, centres = [], []
        for part in waves.split(16):
            peak = part.abs().amax(1, keepdim=True).clamp(min=1e-4)
            p = torch.sigmoid(self.model(log_mel(0.5 * part / peak)))
            scores.append(p.topk(min(10, p.shape[1]), 1).values.mean(1))
            seconds = (torch.arange(p.shape[1]) + 0.5) * STRIDE * HOP / RATE
            centres.append((p * seconds[None, :, None]).sum(1) / p.sum(1).clamp(min=1e-6))
        return torch.cat(scores).numpy(), torch.cat(centres).numpy()
