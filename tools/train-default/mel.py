"""Tango's log-mel front end in torch: STFT 1024, hop 160, Hann, slaney 64 mels 0-8000 Hz, log(clamp(x, 1e-5))."""
from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from transformers.audio_utils import mel_filter_bank

RATE, FFT, HOP, MELS = 16000, 1024, 160, 64
FLOOR = 1e-5


@lru_cache
def filters(mels: int, fft: int, device: torch.device) -> torch.Tensor:
    """[mels, fft/2+1], librosa's."""
    bank = mel_filter_bank(fft // 2 + 1, mels, 0.0, 8000.0, RATE, norm="slaney", mel_scale="slaney")
    return torch.from_numpy(bank.T.copy()).float().to(device)


@lru_cache
def window(fft: int, device: torch.device) -> torch.Tensor:
    return torch.hann_window(fft, device=device)


def magnitude(wave: torch.Tensor, fft: int = FFT, hop: int = HOP) -> torch.Tensor:
    """[B, N] already padded -> [B, fft/2+1, frames]; the tiny constant keeps the gradient finite at silence."""
    spectrum = torch.stft(wave, fft, hop, fft, window(fft, wave.device), center=False, return_complex=True)
    return torch.sqrt(spectrum.real.square() + spectrum.imag.square() + 1e-12)


def log_mel_padded(wave: torch.Tensor) -> torch.Tensor:
    """[B, N + 1024] -> [B, frames, 64]."""
    return torch.log(torch.clamp(filters(MELS, FFT, wave.device) @ magnitude(wave), min=FLOOR)).transpose(1, 2)


def log_mel(wave: torch.Tensor) -> torch.Tensor:
    """[B, frames * 160] -> [B, frames, 64], reflected at both ends."""
    frames = wave.shape[-1] // HOP
    padded = F.pad(wave.unsqueeze(1), (FFT // 2, FFT // 2), mode="reflect").squeeze(1)
    return log_mel_padded(padded)[:, :frames]
