"""Shows that PEFT and diffusers load an adapter that the studio exported, and that all three predict the same.

    python tools/check-adapter/check.py <folder of studio.train.exportAdapter> <folder of the model>

Prints the largest difference between PEFT's and diffusers' predictions and how far the adapter moves the base model's;
fails when a key is missing or unexpected, when the two differ, or when the adapter changes nothing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

sys.modules["torchaudio"] = None  # type: ignore[assignment]
from diffusers import UNet2DConditionModel
from peft import PeftModel
from safetensors.torch import load_file

TOLERANCE = 1e-4


def load_unet(model: Path) -> UNet2DConditionModel:
    return UNet2DConditionModel.from_pretrained(model, subfolder="unet", torch_dtype=torch.float32).eval()


def predict(unet: torch.nn.Module, config: dict) -> torch.Tensor:
    generator = torch.Generator("cpu").manual_seed(0)
    sample = torch.randn(1, config["in_channels"], 32, 8, generator=generator)
    states = torch.randn(1, 6, config["cross_attention_dim"], generator=generator)
    with torch.no_grad():
        return unet(sample, torch.tensor(500), encoder_hidden_states=states).sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("adapter", type=Path)
    parser.add_argument("model", type=Path)
    arguments = parser.parse_args()

    base = load_unet(arguments.model)
    config = dict(base.config)
    plain = predict(base, config)

    peft = PeftModel.from_pretrained(base, str(arguments.adapter))
    saved = load_file(arguments.adapter / "adapter_model.safetensors")
    loaded = {key.replace(".default", "") for key in peft.state_dict() if "lora_" in key}
    assert loaded == set(saved), f"keys differ: {sorted(loaded ^ set(saved))[:5]}"
    by_peft = predict(peft, config)

    unet = load_unet(arguments.model)
    unet.load_lora_adapter(str(arguments.adapter), weight_name="pytorch_lora_weights.safetensors", prefix="unet")
    by_diffusers = predict(unet, config)

    rms = plain.pow(2).mean().sqrt()
    apart = ((by_peft - by_diffusers).abs().max() / rms).item()
    moved = ((by_peft - plain).abs().max() / rms).item()
    print(f"{len(saved)} tensors; PEFT against diffusers: {apart:.2e} of the rms; adapter against base: {moved:.2e}")
    assert apart <= TOLERANCE, "PEFT and diffusers disagree"
    assert moved > TOLERANCE, "the adapter changes nothing"


if __name__ == "__main__":
    main()
