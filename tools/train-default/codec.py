"""Stage `codec`: VAE decoder and vocoder learn together, behind the frozen encoder, to give the wave back.

Trained apart, the decoder gives mels that the vocoder never saw in numbers and the vocoder cannot ask for what it
needs. Here the wave's losses reach both. Besides the spectral losses there is a perceptual one: the feature maps of a
classifier of events (stage `ear`), of the copy against those of the original. That classifier is not the judge of the
evaluation: other seed, other clips, other width. The latents of the UNet stay valid, since the encoder is untouched.
"""
from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from classifier import Classifier, fit
from data import Clips
from discriminators import Discriminators
from mel import FFT, HOP, log_mel_padded
from training import Ema, core_seconds, device, load_state, mixed_precision, save_state, wave_precision
from vae import ENCODER, Vae
from vocoder import Generator, mel_loss, stft_losses

EAR_SEED, EAR_WIDTH = 8765, 20
# Group norms see a whole clip in use, so lengths are mixed; each step has 512 frames.
SHAPES, SHAPE_SHARES = ((4, 128), (2, 256), (1, 512)), (0.35, 0.35, 0.3)
# Seldom enough to cost little, often enough that the vocoder still reads a mel of the real world.
REAL_MEL_SHARE = 0.15
JUDGED_FRAMES = 64


def train_ear(work: Path, seed: int, minutes: float, threads: int = 1) -> None:
    fit(work / "ear.pt", Clips(work, "clips-512"), seed + EAR_SEED, minutes, EAR_WIDTH, threads=threads)


class Ear(nn.Module):
    """Feature maps of a trained classifier, after each of its ten convolutions."""

    def __init__(self, work: Path) -> None:
        super().__init__()
        model = Classifier(EAR_WIDTH)
        model.load_state_dict(torch.load(work / "ear.pt", map_location="cpu", weights_only=True)["ema"])
        self.body = model.body.eval().requires_grad_(False).to(device(), memory_format=torch.channels_last)

    def maps(self, mel: torch.Tensor) -> list[torch.Tensor]:
        x, out = ((mel.clamp(min=-9) + 5) / 3).unsqueeze(1).contiguous(memory_format=torch.channels_last), []
        for layer in self.body:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                out.append(x)
        return out

    def loss(self, fake: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Mean L1 between the maps of two log-mels [B, T, 64], each layer relative to its own size."""
        with torch.no_grad():
            wanted = self.maps(real)
        parts = [(a.float() - b.float()).abs().mean() / (b.float().abs().mean() + 1e-4)
                 for a, b in zip(self.maps(fake), wanted)]
        return torch.stack(parts).mean()


def wave_mel(wave: torch.Tensor) -> torch.Tensor:
    """[B, T * 160] -> [B, T, 64]; zeros beyond both ends, as in `mel_loss`."""
    return log_mel_padded(F.pad(wave, (FFT // 2, FFT // 2)))[:, :wave.shape[1] // HOP]


def _start(work: Path, path: Path, parts: dict, model: Vae, generator: Generator) -> tuple[float, int]:
    """Resumes, or takes the averages of the stages `vae` and `vocoder`."""
    if not path.exists():
        model.load_state_dict(torch.load(work / "vae.pt", map_location="cpu", weights_only=True)["ema"])
        generator.load_state_dict(torch.load(work / "vocoder.pt", map_location="cpu", weights_only=True)["ema"])
        parts["model_ema"].load_state_dict(model.state_dict())
        parts["generator_ema"].load_state_dict(generator.state_dict())
    return load_state(path, parts)


def train(work: Path, seed: int, minutes: float, lr: float = 3e-4, threads: int = 1) -> None:
    """Runs until `minutes` of core time are used in all; resumes from codec.pt."""
    torch.manual_seed(seed + 6)
    torch.set_num_threads(threads)
    rng = np.random.default_rng([seed, os.getpid(), 6])
    clips, ear = Clips(work, "clips-512"), Ear(work)
    model, generator = Vae().to(device()), Generator().to(device(), memory_format=torch.channels_last)
    judges = Discriminators().to(device(), memory_format=torch.channels_last)
    for name, p in model.named_parameters():
        p.requires_grad_(not name.startswith(ENCODER))
    decoder = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW([*decoder, *generator.parameters()], lr, (0.8, 0.99), weight_decay=1e-4, fused=True)
    d_optimizer = torch.optim.AdamW(judges.parameters(), lr, (0.8, 0.99), fused=True)
    parts = {"model": model, "generator": generator, "judges": judges, "o": optimizer, "d": d_optimizer}
    emas = {"model_ema": Ema(model, 0.998), "generator_ema": Ema(generator, 0.998)}
    used, step = _start(work, work / "codec.pt", parts | emas, model, generator)
    started, saved = core_seconds(), time.time()
    begun, log = used, []
    larger = 8 if device().type == "cuda" else 1
    while used < minutes * 60:
        share = used / (minutes * 60)
        rate = lr * min(1, (step + 1) / 100) * max(0.02, 0.5 * (1 + math.cos(math.pi * share)))
        for o in (optimizer, d_optimizer):
            o.param_groups[0]["lr"] = rate
        batch, frames = SHAPES[rng.choice(len(SHAPES), p=SHAPE_SHARES)]
        batch *= larger
        padded = clips.segments(rng, batch, frames)
        real = padded[:, FFT // 2:-FFT // 2]
        mel = log_mel_padded(padded)[:, :frames]
        with wave_precision():
            with torch.no_grad():
                mean = model.encode(mel.unsqueeze(1))
            decoded = model.decode(mean + 0.05 * mean.std() * torch.randn_like(mean)).squeeze(1)
            fake = generator(mel if rng.random() < REAL_MEL_SHARE else decoded)
        with mixed_precision():
            heard = ear.loss(wave_mel(fake), wave_mel(real))
        l1 = (decoded - mel).abs().mean()
        partials = (decoded.diff(dim=2) - mel.diff(dim=2)).abs().mean()
        spectral, mels = stft_losses(fake, real), mel_loss(fake, real)
        loss = spectral * 3 + mels * 1.5 + l1 + 0.5 * partials + 2.0 * heard
        # The judges are new: they learn for a tenth of the time before the codec listens to them.
        at = rng.integers(0, frames - JUDGED_FRAMES + 1) * HOP
        a, b = (x[:, at:at + JUDGED_FRAMES * HOP] for x in (real, fake))
        jury = judges.pick(rng)
        with mixed_precision():
            d_loss = judges.judge_loss(jury, a, b.detach())
        d_optimizer.zero_grad()
        d_loss.backward()
        nn.utils.clip_grad_norm_(judges.parameters(), 10.0)
        d_optimizer.step()
        ramp = min(1.0, max(0.0, share - 0.1) / 0.1)
        if ramp > 0:
            with mixed_precision():
                fooled, features = judges.generator_loss(jury, a, b)
            loss = loss + ramp * (0.3 * fooled + 1.0 * features)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([*decoder, *generator.parameters()], 5.0)
        optimizer.step()
        emas["model_ema"].update(model)
        emas["generator_ema"].update(generator)
        step += 1
        log.append(torch.stack([mels, spectral, l1, heard, d_loss]).detach())
        now = time.time()
        used = begun + core_seconds() - started
        if step % 50 == 0:
            names = ("mel", "stft", "l1", "ear", "judge")
            means = dict(zip(names, np.round(torch.stack(log[-50:]).mean(0).tolist(), 4).tolist()))
            print(json.dumps({"step": step, "minutes": round(used / 60, 1)} | means), flush=True)
        if now - saved > 180:
            saved = now
            save_state(work / "codec.pt", parts | emas, used, step)
    save_state(work / "codec.pt", parts | emas, used, step)


def averages(work: Path) -> tuple[Vae, Generator] | None:
    """What the stage has made so far; None before it began."""
    if not (work / "codec.pt").exists():
        return None
    state = torch.load(work / "codec.pt", map_location="cpu", weights_only=True)
    model, generator = Vae(), Generator()
    model.load_state_dict(state["model_ema"])
    generator.load_state_dict(state["generator_ema"])
    return model.eval().requires_grad_(False), generator.eval().requires_grad_(False)
