"""Cheap HiFi-GAN discriminators: multi-period on the wave, multi-resolution on the spectrogram (least squares)."""
from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mel import magnitude
from training import device

PERIODS = (2, 3, 5, 7, 11)
RESOLUTIONS = (512, 1024, 2048)


class PeriodJudge(nn.Module):
    def __init__(self, period: int, widths: tuple[int, ...] = (8, 16, 48, 96)) -> None:
        super().__init__()
        self.period = period
        channels = (1, *widths)
        self.convs = nn.ModuleList(nn.Conv2d(i, o, (5, 1), (3, 1), (2, 0)) for i, o in zip(channels, widths))
        self.last = nn.Conv2d(widths[-1], 1, (3, 1), 1, (1, 0))

    def forward(self, wave: torch.Tensor) -> list[torch.Tensor]:
        x = F.pad(wave, (0, -wave.shape[1] % self.period)).view(len(wave), 1, -1, self.period)
        maps = []
        for c in self.convs:
            x = F.leaky_relu(c(x), 0.1)
            maps.append(x)
        return [*maps, self.last(x)]


class SpectrumJudge(nn.Module):
    """Strided along frequency, so that each layer halves the work."""

    def __init__(self, fft: int, width: int = 16) -> None:
        super().__init__()
        self.fft = fft
        self.convs = nn.ModuleList([
            nn.Conv2d(1, width, (7, 3), (2, 2), (3, 1)), nn.Conv2d(width, width, (7, 3), (2, 1), (3, 1)),
            nn.Conv2d(width, width, (5, 3), (2, 1), (2, 1)), nn.Conv2d(width, width, (3, 3), 1, 1)])
        self.last = nn.Conv2d(width, 1, 3, 1, 1)

    def forward(self, wave: torch.Tensor) -> list[torch.Tensor]:
        with torch.autocast(wave.device.type, enabled=False):
            padded = F.pad(wave.float(), (self.fft // 2, self.fft // 2))
            x = torch.log(magnitude(padded, self.fft, self.fft // 4) + 1e-3).unsqueeze(1)
        maps = []
        for c in self.convs:
            x = F.leaky_relu(c(x), 0.1)
            maps.append(x)
        return [*maps, self.last(x)]


class Discriminators(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.judges = nn.ModuleList([*map(PeriodJudge, PERIODS), *map(SpectrumJudge, RESOLUTIONS)])

    def pick(self, rng: np.random.Generator, periods: int = 1, resolutions: int = 1) -> list[nn.Module]:
        """A step's jury: all eight together cost three times a spectral step, which only a GPU can afford."""
        if device().type == "cuda":
            return list(self.judges)
        of_periods, of_spectra = len(PERIODS), len(RESOLUTIONS)
        chosen = [*rng.choice(of_periods, periods, False), *(of_periods + rng.choice(of_spectra, resolutions, False))]
        return [self.judges[i] for i in chosen]

    def judge_loss(self, jury: list[nn.Module], real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        loss = real.new_zeros(())
        both = torch.cat([real, fake])
        for judge in jury:
            r, f = judge(both)[-1].float().chunk(2)
            loss = loss + (r - 1).square().mean() + f.square().mean()
        return loss / len(jury)

    def generator_loss(self, jury: list[nn.Module], real: torch.Tensor,
                       fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Least-squares fooling term and feature matching, each a mean over the jury."""
        fooled = features = real.new_zeros(())
        self.requires_grad_(False)
        for judge in jury:
            with torch.no_grad():
                real_maps = judge(real)
            fake_maps = judge(fake)
            fooled = fooled + (fake_maps[-1].float() - 1).square().mean()
            for a, b in zip(real_maps[:-1], fake_maps[:-1]):
                scale = a.float().abs().mean() + 1e-4
                features = features + (a.float() - b.float()).abs().mean() / scale
        self.requires_grad_(True)
        return fooled / len(jury), features / len(jury)
