"""Sizes and time budgets of every stage: what `train.py all` does, and what the shipped checkpoint was made with."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """`clips`: frames -> (clips, weights of single, then, while, three, while_then). `latents`: how many clips of each
    length the UNet learns from. `minutes` of training per stage: core minutes (processor time), or the GPU's. The vocoder's
    discriminators come in after `vocoder_spectral`."""
    clips: dict[int, tuple[int, tuple[float, ...]]]
    latents: dict[int, int]
    minutes: dict[str, float]


# More is better everywhere. The shipped checkpoint's first three rounds: vae 15, vocoder 43, text 9, unet 27 with bf16
# instructions; then from there, without them, vae 26, vocoder 69, unet 30 at these rates: vae 0.5, vocoder 0.35,
# unet 0.6; then, with them again, ear 5, codec 28, unet 40 at 0.6. The fourth, on an NVIDIA H100: ear 0.8, codec 5.1, unet 4.4.
PLANS = {
    "cpu": Plan(
        clips={
            512: (16000, (0.26, 0.38, 0.16, 0.12, 0.08)),
            1024: (900, (0.24, 0.34, 0.16, 0.16, 0.10)),
            256: (1600, (0.50, 0.32, 0.18, 0.0, 0.0)),
            128: (1000, (1.0, 0.0, 0.0, 0.0, 0.0)),
        },
        latents={512: 9000, 1024: 500, 256: 1000, 128: 600},
        minutes={"vae": 40, "decoder": 0, "vocoder": 110, "vocoder_spectral": 50, "ear": 5, "codec": 40, "text": 9,
                 "unet": 90, "classifier": 12, "clap": 12}),
    "cuda": Plan(
        clips={
            512: (64000, (0.26, 0.38, 0.16, 0.12, 0.08)),
            1024: (6000, (0.24, 0.34, 0.16, 0.16, 0.10)),
            256: (10000, (0.50, 0.32, 0.18, 0.0, 0.0)),
            128: (8000, (1.0, 0.0, 0.0, 0.0, 0.0)),
        },
        latents={512: 64000, 1024: 6000, 256: 10000, 128: 8000},
        minutes={"vae": 4, "decoder": 0, "vocoder": 8, "vocoder_spectral": 3, "ear": 0.8, "codec": 7, "text": 2, "unet": 7,
                 "classifier": 1, "clap": 6}),
}
# From this share of the vocoder's budget on, half of its input mels come from the VAE.
VOCODER_FINETUNE_FROM = 0.6
