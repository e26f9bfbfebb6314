"""Stage `vae`: diffusers AutoencoderKL on raw log-mels (B, 1, T, 64), 8x down to 16 channels.

Loss: L1, L1 of the differences along frequency (it keeps partials apart) and a small KL. Then the encoder is frozen,
`latents` encodes the clips and measures the scale, the UNet starts, and the decoder goes on learning beside it, with
a patch discriminator on the mel that sharpens what L1 blurs.
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
from diffusers import AutoencoderKL
from torch import nn

from data import Clips
from mel import log_mel, log_mel_padded
from training import Ema, core_seconds, device, load_state, mixed_precision, save_state

LATENT_CHANNELS = 16
CONFIG = dict(in_channels=1, out_channels=1, down_block_types=["DownEncoderBlock2D"] * 4,
              up_block_types=["UpDecoderBlock2D"] * 4, block_out_channels=[16, 32, 96, 128], layers_per_block=1,
              latent_channels=LATENT_CHANNELS, norm_num_groups=8, sample_size=512)
CENTRE = -5.0
ENCODER = ("net.encoder", "net.quant_conv")
# Group norms see a whole clip in use, so crops alone would train them on other statistics: mix the lengths.
SHAPES, SHAPE_SHARES = ((4, 128), (2, 256), (1, 512)), (0.4, 0.3, 0.3)


class Vae(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = AutoencoderKL(**CONFIG).to(memory_format=torch.channels_last)
        self.net.decoder.conv_out.bias.data.fill_(CENTRE)

    def forward(self, mel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Reconstruction from a posterior sample, and the posterior's mean and log-variance."""
        moments = self.net.quant_conv(self.net.encoder(mel.contiguous(memory_format=torch.channels_last)))
        mean, logvar = moments.float().chunk(2, 1)
        logvar = logvar.clamp(-20, 10)
        sample = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
        return self.decode(sample), mean, logvar

    def encode(self, mel: torch.Tensor) -> torch.Tensor:
        """Mean of the posterior: [B, 1, T, 64] -> [B, 16, T/8, 8]."""
        moments = self.net.quant_conv(self.net.encoder(mel.contiguous(memory_format=torch.channels_last)))
        return moments.float().chunk(2, 1)[0]

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        return self.net.decoder(self.net.post_quant_conv(latent.contiguous(memory_format=torch.channels_last))).float()

    def reconstruct(self, mel: torch.Tensor) -> torch.Tensor:
        return self.decode(self.encode(mel))


class PatchJudge(nn.Module):
    """Judges patches of a few frames and bins of a log-mel."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(1, width, 4, 2, 1), nn.Conv2d(width, 2 * width, 4, 2, 1),
                                    nn.Conv2d(2 * width, 4 * width, 3, 1, 1)])
        self.last = nn.Conv2d(4 * width, 1, 3, 1, 1)

    def forward(self, mel: torch.Tensor) -> list[torch.Tensor]:
        x, maps = ((mel - CENTRE) / 3).contiguous(memory_format=torch.channels_last), []
        for c in self.convs:
            x = F.leaky_relu(c(x), 0.2)
            maps.append(x)
        return [*maps, self.last(x)]


def judge_step(judge: PatchJudge, optimizer: torch.optim.Optimizer, out: torch.Tensor,
               mel: torch.Tensor) -> torch.Tensor:
    """One step of the patch discriminator; returns the decoder's fooling and feature-matching loss."""
    with mixed_precision():
        r, f = judge(torch.cat([mel, out.detach()]))[-1].float().chunk(2)
    loss = (r - 1).square().mean() + f.square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    judge.requires_grad_(False)
    with mixed_precision():
        fake_maps, real_maps = judge(out), judge(mel)
    judge.requires_grad_(True)
    features = sum((a.float() - b.float()).abs().mean() / (b.float().abs().mean() + 1e-4)
                   for a, b in zip(fake_maps[:-1], real_maps[:-1])) / 3
    return 0.05 * (fake_maps[-1].float() - 1).square().mean() + 0.15 * features


def train(work: Path, seed: int, minutes: float, decoder_minutes: float = 0.0, judge_from: float = 0.3,
          lr: float = 1e-3, kl: float = 1e-3, threads: int = 1) -> None:
    """Trains for `minutes`, then for `decoder_minutes` with a frozen encoder (a second call); resumes from vae.pt."""
    torch.manual_seed(seed + 1)
    torch.set_num_threads(threads)
    rng = np.random.default_rng([seed, os.getpid(), 1])
    clips = Clips(work, "clips-512")
    larger = 8 if device().type == "cuda" else 1
    model, judge = Vae().to(device()), PatchJudge().to(device(), memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr, (0.9, 0.99), weight_decay=1e-4, fused=True)
    j_optimizer = torch.optim.AdamW(judge.parameters(), 4e-4, (0.5, 0.9), fused=True)
    ema = Ema(model, 0.998)
    parts = {"model": model, "judge": judge, "o": optimizer, "j": j_optimizer, "ema": ema}
    used, step = load_state(work / "vae.pt", parts)
    frozen = decoder_minutes > 0
    if frozen:  # the average's encoder made the latents: it is the one to keep
        model.load_state_dict({k: v.clone() if k.startswith(ENCODER) else model.state_dict()[k]
                               for k, v in ema.state_dict().items()})
        for name, p in model.named_parameters():
            if name.startswith(ENCODER):
                p.requires_grad_(False)
    first = minutes * 60 if frozen else 0.0
    whole = decoder_minutes * 60 if frozen else minutes * 60
    started, saved = core_seconds(), time.time()
    begun, log = used, []
    while used < first + whole:
        share = max(0.0, used - first) / whole
        optimizer.param_groups[0]["lr"] = lr * min(1, (step + 1) / 100) * max(0.03, math.cos(math.pi / 2 * share))
        batch, frames = SHAPES[rng.choice(len(SHAPES), p=SHAPE_SHARES)]
        mel = log_mel_padded(clips.segments(rng, batch * larger, frames))[:, :frames].unsqueeze(1)
        with mixed_precision():
            if frozen:
                with torch.no_grad():
                    mean = model.encode(mel)
                out, logvar = model.decode(mean + 0.05 * mean.std() * torch.randn_like(mean)), torch.zeros_like(mean)
            else:
                out, mean, logvar = model(mel)
        l1 = (out - mel).abs().mean()
        partials = (out.diff(dim=3) - mel.diff(dim=3)).abs().mean()
        divergence = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        loss = l1 + 0.5 * partials + (0.0 if frozen else kl * divergence)
        if frozen and share > judge_from:
            loss = loss + min(1.0, (share - judge_from) / 0.1) * judge_step(judge, j_optimizer, out, mel)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        ema.update(model)
        step += 1
        log.append(torch.stack([l1, partials, divergence]).detach())
        now = time.time()
        used = begun + core_seconds() - started
        if step % 100 == 0:
            means = torch.stack(log[-100:]).mean(0).tolist()
            print(json.dumps({"step": step, "minutes": round(used / 60, 1), "l1": round(means[0], 4),
                              "partials": round(means[1], 4), "kl": round(means[2], 3)}), flush=True)
        if now - saved > 120:
            saved = now
            save_state(work / "vae.pt", parts, used, step)
    save_state(work / "vae.pt", parts, used, step)


def load_vae(path: Path) -> Vae:
    model = Vae()
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["ema"])
    return model.eval().requires_grad_(False)


@torch.no_grad()
def latents(work: Path, counts: dict[int, int], threads: int = 2) -> None:
    """Encodes the first `counts[frames]` clips of each length: latents-<frames>.npy (float16, posterior means), and
    latents.json with the scaling factor."""
    if (work / "latents.json").exists():
        return
    torch.set_num_threads(threads)
    model, at_once = load_vae(work / "vae.pt").to(device()), 128 if device().type == "cuda" else 16
    squares, count = 0.0, 0
    for frames, wanted in counts.items():
        clips, out = Clips(work, f"clips-{frames}"), None
        count_here = min(wanted, len(clips))
        for i in range(0, count_here, at_once):
            mel = log_mel(clips.waves(np.arange(i, min(i + at_once, count_here)))).unsqueeze(1)
            with mixed_precision():
                z = model.encode(mel).cpu().numpy()
            if out is None:
                path = work / f"latents-{frames}.npy"
                out = np.lib.format.open_memmap(path, "w+", np.float16, (count_here, *z.shape[1:]))
            out[i:i + len(z)] = z
            if frames == 512:
                squares, count = squares + float((z.astype(np.float64) ** 2).sum()), count + z.size
        out.flush()
    factor = 1 / math.sqrt(squares / count)
    (work / "latents.json").write_text(json.dumps({"scaling_factor": factor}))
    print(f"latents: scaling factor {factor:.4f}")
