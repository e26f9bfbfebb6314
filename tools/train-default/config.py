"""Sizes and time budgets of every stage: what `train.py all` does, and what the shipped checkpoint was made with."""
from __future__ import annotations

# frames -> (clips, weights of single, then, while, three, while_then)
CLIPS = {
    512: (16000, (0.26, 0.38, 0.16, 0.12, 0.08)),
    1024: (900, (0.24, 0.34, 0.16, 0.16, 0.10)),
    256: (1600, (0.50, 0.32, 0.18, 0.0, 0.0)),
    128: (1000, (1.0, 0.0, 0.0, 0.0, 0.0)),
}
# How many clips of each length the UNet learns from.
LATENTS = {512: 9000, 1024: 500, 256: 1000, 128: 600}
# Core minutes (processor time) of training per stage, as the shipped checkpoint had them; more is better everywhere,
# most of all for the vocoder (whose discriminators come in after `vocoder_spectral`) and for the decoder.
MINUTES = {"vae": 26, "decoder": 0, "vocoder": 85, "vocoder_spectral": 24, "text": 9, "unet": 45, "classifier": 18}
# From this share of the vocoder's budget on, half of its input mels come from the VAE.
VOCODER_FINETUNE_FROM = 0.6
