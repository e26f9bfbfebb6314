"""Stage `warm-start`: an exported checkpoint as the start of the next one, for `train.py` to go on from.

Sounds or losses may change as long as the classes do not: the held-out pairs follow from their names. Optimisers start
fresh, and so do the clocks, so every later stage has its whole budget.
"""
from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

from training import save_weights


def warm_start(work: Path, folder: Path) -> None:
    """Writes vae.pt, vocoder.pt, unet.pt, text_encoder.pt and tokenizer.json unless they are there."""
    def tensors(part: str, name: str = "diffusion_pytorch_model") -> dict[str, torch.Tensor]:
        return {k: v.float() for k, v in load_file(folder / part / f"{name}.safetensors").items()}

    vae = {"net." + k: v for k, v in tensors("vae").items()}
    vocoder = {k: v.unsqueeze(2) if v.ndim == 3 else v for k, v in tensors("vocoder", "model").items()
               if k not in ("mean", "scale")}
    save_weights(work / "vae.pt", "model", vae)
    save_weights(work / "vocoder.pt", "generator", vocoder)
    save_weights(work / "unet.pt", "net", tensors("unet"))
    text = tensors("text_encoder", "model")
    save_weights(work / "text_encoder.pt", "encoder", text | {"encoder.embed_tokens.weight": text["shared.weight"]})
    if not (work / "tokenizer.json").exists():
        (work / "tokenizer.json").write_bytes((folder / "tokenizer/tokenizer.json").read_bytes())
