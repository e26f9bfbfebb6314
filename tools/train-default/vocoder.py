"""Stage `vocoder`: a small HiFi-GAN (transformers SpeechT5HifiGan) trained with spectral losses, then adversarially.

The training module holds the same parameters as the exported one, as 2-D convolutions in channels_last: on a CPU
with bf16 that is about twice as fast as conv1d at 16-64 channels. `hifi_gan_state` gives the exported names.

Phases: (1) mel + multi-resolution STFT losses; (2) after `warm_minutes` the same with discriminators and feature
matching. From the share `finetune_from` of the budget on, half of the input mels come from the VAE.
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

from data import Clips
from discriminators import Discriminators
from mel import FFT, HOP, filters, log_mel_padded, magnitude
from training import Ema, core_seconds, device, load_state, mixed_precision, save_state, wave_precision

CONFIG = dict(model_in_dim=64, sampling_rate=16000, upsample_initial_channel=256, upsample_rates=[4, 4, 5, 2],
              upsample_kernel_sizes=[8, 8, 15, 4], resblock_kernel_sizes=[3, 7],
              resblock_dilation_sizes=[[1, 3], [1, 3]], leaky_relu_slope=0.1, normalize_before=False)


def conv(i: int, o: int, k: int, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(i, o, (1, k), padding=(0, (k - 1) // 2 * dilation), dilation=(1, dilation))


class ResBlock(nn.Module):
    def __init__(self, channels: int, kernel: int, dilations: list[int]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(conv(channels, channels, kernel, d) for d in dilations)
        self.convs2 = nn.ModuleList(conv(channels, channels, kernel) for _ in dilations)
        for c in self.convs2:
            c.weight.data.mul_(0.3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for a, b in zip(self.convs1, self.convs2):
            x = x + b(F.leaky_relu(a(F.leaky_relu(x, 0.1)), 0.1))
        return x


class Generator(nn.Module):
    def __init__(self, config: dict = CONFIG) -> None:
        super().__init__()
        width = config["upsample_initial_channel"]
        self.conv_pre = conv(64, width, 7)
        self.conv_pre.weight.data.mul_(0.3)
        self.upsampler, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate, kernel in zip(config["upsample_rates"], config["upsample_kernel_sizes"]):
            self.upsampler.append(nn.ConvTranspose2d(width, width // 2, (1, kernel), (1, rate),
                                                     (0, (kernel - rate) // 2)))
            width //= 2
            for k, d in zip(config["resblock_kernel_sizes"], config["resblock_dilation_sizes"]):
                self.resblocks.append(ResBlock(width, k, d))
        self.branches = len(config["resblock_kernel_sizes"])
        self.conv_post = conv(width, 1, 7)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """[B, T, 64] -> [B, T * 160]."""
        x = mel.transpose(1, 2).unsqueeze(2).contiguous(memory_format=torch.channels_last)
        x = self.conv_pre(x)
        for i, up in enumerate(self.upsampler):
            x = up(F.leaky_relu(x, 0.1))
            blocks = self.resblocks[i * self.branches:(i + 1) * self.branches]
            x = sum(block(x) for block in blocks) / self.branches
        return torch.tanh(self.conv_post(F.leaky_relu(x, 0.01)).float()).flatten(1)


def hifi_gan_state(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Names and shapes of transformers' SpeechT5HifiGan (its unused normalisation buffers included)."""
    out = {k: v.squeeze(2).contiguous() if v.ndim == 4 else v for k, v in state.items()}
    return out | {"mean": torch.zeros(64), "scale": torch.ones(64)}


def stft_losses(fake: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """Multi-resolution, each clip by its own level: linear and square-root magnitudes for peaks, log for valleys."""
    loss = fake.new_zeros(())
    for fft in (256, 512, 1024, 2048):
        a, b = (F.pad(x, (fft // 2, fft // 2)) for x in (fake, real))
        a, b = magnitude(a, fft, fft // 4), magnitude(b, fft, fft // 4)
        power = b.square().mean((1, 2)) + 1e-4
        loss = loss + ((a - b).square().mean((1, 2)) / power + 1e-4).sqrt().mean()
        loss = loss + ((a.sqrt() - b.sqrt()).abs().mean((1, 2)) / (b.sqrt().mean((1, 2)) + 1e-2)).mean()
        loss = loss + 0.5 * (torch.log(a + 1e-3) - torch.log(b + 1e-3)).abs().mean()
    return loss / 4


def mel_loss(fake: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """L1 of log-mels at two resolutions; the second one is finer in frequency, for partials."""
    a, b = (F.pad(x, (FFT // 2, FFT // 2)) for x in (fake, real))
    loss = (log_mel_padded(a) - log_mel_padded(b)).abs().mean()
    a, b = (F.pad(x, (1024, 1024)) for x in (fake, real))
    bank = filters(160, 2048, a.device)
    fine = [torch.log(torch.clamp(bank @ magnitude(x, 2048, 400), min=1e-4)) for x in (a, b)]
    return loss + (fine[0] - fine[1]).abs().mean()


class VaeMels:
    """Mels as the decoder gives them, loaded when the VAE's checkpoint appears (`vae.pt` in the work directory)."""

    def __init__(self, work: Path) -> None:
        self.path, self.model, self.stamp = work / "vae.pt", None, 0.0

    def refresh(self) -> None:
        if self.path.exists() and self.path.stat().st_mtime > self.stamp:
            from vae import load_vae
            self.stamp = self.path.stat().st_mtime
            self.model = load_vae(self.path).to(device())

    @torch.no_grad()
    def __call__(self, mel: torch.Tensor) -> torch.Tensor:
        """[B, T, 64] with T a multiple of 8."""
        with mixed_precision():
            return self.model.reconstruct(mel.unsqueeze(1)).squeeze(1).float()


def train(work: Path, seed: int, minutes: float, warm_minutes: float, batch: int = 4, frames: int = 52,
          vae_share: float = 0.5, finetune_from: float = 0.75, lr: float = 1e-3, threads: int = 1) -> None:
    """Runs until `minutes` of core time are used in all; resumes from vocoder.pt."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    rng = np.random.default_rng([seed, os.getpid()])
    clips = Clips(work, "clips-512")
    batch = batch * 16 if device().type == "cuda" else batch
    generator = Generator().to(device(), memory_format=torch.channels_last)
    judges = Discriminators().to(device(), memory_format=torch.channels_last)
    g_optimizer = torch.optim.AdamW(generator.parameters(), lr, (0.8, 0.99), fused=True)
    d_optimizer = torch.optim.AdamW(judges.parameters(), lr, (0.8, 0.99), fused=True)
    ema = Ema(generator, 0.997)
    parts = {"generator": generator, "judges": judges, "g": g_optimizer, "d": d_optimizer, "ema": ema}
    used, step = load_state(work / "vocoder.pt", parts)
    vae, log = VaeMels(work), []
    started, saved = core_seconds(), time.time()
    begun = used
    while used < minutes * 60:
        adversarial = used > warm_minutes * 60
        rate = lr * min(1, (step + 1) / 200) * max(0.05, 0.5 * (1 + math.cos(math.pi * used / (minutes * 60))))
        for optimizer in (g_optimizer, d_optimizer):
            optimizer.param_groups[0]["lr"] = rate * (0.5 if adversarial else 1)
        padded = clips.segments(rng, batch, frames)
        real = padded[:, FFT // 2:-FFT // 2]
        mel = log_mel_padded(padded)[:, :frames]
        if used > finetune_from * minutes * 60:
            if step % 500 == 0 or vae.model is None:
                vae.refresh()
            share = int(batch * vae_share)
            if vae.model is not None:
                whole = F.pad(mel[:share].transpose(1, 2), (0, -frames % 8), mode="replicate").transpose(1, 2)
                mel = torch.cat([vae(whole)[:, :frames], mel[share:]])
        with wave_precision():
            fake = generator(mel)
        spectral = stft_losses(fake, real)
        mels = mel_loss(fake, real)
        loss = spectral * 3 + mels * 1.5
        d_value = loss.new_zeros(())
        if adversarial:
            jury = judges.pick(rng)
            with mixed_precision():
                d_loss = judges.judge_loss(jury, real, fake.detach())
            d_optimizer.zero_grad()
            d_loss.backward()
            nn.utils.clip_grad_norm_(judges.parameters(), 10.0)
            d_optimizer.step()
            with mixed_precision():
                fooled, features = judges.generator_loss(jury, real, fake)
            ramp = min(1.0, (used - warm_minutes * 60) / 300)
            loss = loss + ramp * (0.3 * fooled + 1.0 * features)
            d_value = d_loss.detach()
        g_optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(generator.parameters(), 5.0)
        g_optimizer.step()
        ema.update(generator)
        step += 1
        log.append(torch.stack([mels.detach(), spectral.detach(), d_value]))
        now = time.time()
        used = begun + core_seconds() - started
        if step % 100 == 0:
            means = torch.stack(log[-100:]).mean(0).tolist()
            print(json.dumps({"step": step, "minutes": round(used / 60, 1), "mel": round(means[0], 4),
                              "stft": round(means[1], 4), "judge": round(means[2], 4)}), flush=True)
        if now - saved > 180:
            saved = now
            save_state(work / "vocoder.pt", parts, used, step)
    save_state(work / "vocoder.pt", parts, used, step)


def load_generator(path: Path) -> Generator:
    generator = Generator()
    generator.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["ema"])
    return generator.eval()
