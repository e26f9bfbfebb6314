"""Tango's log-mel front end in torch: STFT 1024, hop 160, Hann, slaney 64 mels 0-8000 Hz, log(clamp(x, 1e-5))."""
from __future__ import annotations

from functools import lru_cache

import librosa
import torch
import torch.nn.functional as F

RATE, FFT, HOP, MELS = 16000, 1024, 160, 64
FLOOR = 1e-5


@lru_cache
def filters(mels: int = MELS, fft: int = FFT) -> torch.Tensor:
    return torch.from_numpy(librosa.filters.mel(sr=RATE, n_fft=fft, n_mels=mels, fmin=0, fmax=8000)).float()


@lru_cache
def window(fft: int = FFT) -> torch.Tensor:
    return torch.hann_window(fft)


def magnitude(wave: torch.Tensor, fft: int = FFT, hop: int = HOP) -> torch.Tensor:
    """[B, N] already padded -> [B, fft/2+1, frames]; the tiny constant keeps the gradient finite at silence."""
    spectrum = torch.stft(wave, fft, hop, fft, window(fft), center=False, return_complex=True)
    return torch.sqrt(spectrum.real.square() + spectrum.imag.square() + 1e-12)


def log_mel_padded(wave: torch.Tensor) -> torch.Tensor:
    """[B, N + 1024] -> [B, frames, 64]."""
    return torch.log(torch.clamp(filters() @ magnitude(wave), min=FLOOR)).transpose(1, 2)


def log_mel(wave: torch.Tensor) -> torch.Tensor:
    """[B, frames * 160] -> [B, frames, 64], reflected at both ends."""
    frames = wave.shape[-1] // HOP
    padded = F.pad(wave.unsqueeze(1), (FFT // 2, FFT // 2), mode="reflect").squeeze(1)
    return log_mel_padded(padded)[:, :frames]
