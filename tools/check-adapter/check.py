"""Shows that PEFT and diffusers load what the studio exported of a run, and that every form predicts the same.

    python tools/check-adapter/check.py <folder of the exports> <folder of the model>

The folder has what `studio.train.exportAdapter` gives, and, where they are there, the two files of
`studio.train.exportMerged`: unet/diffusion_pytorch_model.safetensors (diffusers' names) and
pytorch_model_main.safetensors (Tango's), and the metrics of `exportMetrics` as JSON lines and as TensorBoard events,
which have to say the same. `node tools/check-adapter/run.mjs` makes such a folder and calls this.

Prints the largest difference of each form's prediction from PEFT's and how far the adapter moves the base model's; fails
when a key is missing or unexpected, when two differ, or when the adapter changes nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

sys.modules["torchaudio"] = None  # type: ignore[assignment]
from diffusers import UNet2DConditionModel
from peft import PeftModel
from safetensors.torch import load_file

TOLERANCE = 1e-4
# Prefix of the UNet's keys: Tango's main file has the text encoder's beside them.
MERGED = {"unet/diffusion_pytorch_model.safetensors": "", "pytorch_model_main.safetensors": "unet."}


def load_unet(model: Path) -> UNet2DConditionModel:
    return UNet2DConditionModel.from_pretrained(model, subfolder="unet", torch_dtype=torch.float32).eval()


def merged_unet(path: Path, prefix: str, config: dict) -> UNet2DConditionModel:
    """As tools without adapters load it: every key, and no other."""
    tensors = load_file(path)
    assert all(key.startswith(prefix) for key in tensors), f"{path.name}: keys without {prefix!r}"
    unet = UNet2DConditionModel.from_config(config).eval()
    unet.load_state_dict({key[len(prefix):]: value.float() for key, value in tensors.items()}, strict=True)
    return unet


def predict(unet: torch.nn.Module, config: dict) -> torch.Tensor:
    generator = torch.Generator("cpu").manual_seed(0)
    sample = torch.randn(1, config["in_channels"], 32, 8, generator=generator)
    states = torch.randn(1, 6, config["cross_attention_dim"], generator=generator)
    with torch.no_grad():
        return unet(sample, torch.tensor(500), encoder_hidden_states=states).sample


def check_metrics(folder: Path) -> None:
    """TensorBoard reads the event file's losses as the JSON lines have them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    losses = [(line["step"], line["loss"]) for line in lines if line["type"] == "step"]
    read = EventAccumulator(str(next(folder.glob("events.out.tfevents.*")))).Reload()
    events = [(event.step, event.value) for event in read.Scalars("train/loss")]
    assert [step for step, _ in events] == [step for step, _ in losses], "other steps"
    assert all(abs(a - b) <= 1e-6 * abs(b) for (_, a), (_, b) in zip(events, losses)), "other losses"
    print(f"TensorBoard reads {len(events)} steps of {len(read.Tags()['scalars'])} figures")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("adapter", type=Path)
    parser.add_argument("model", type=Path)
    arguments = parser.parse_args()

    if (arguments.adapter / "metrics.jsonl").exists():
        check_metrics(arguments.adapter)
    base = load_unet(arguments.model)
    config = dict(base.config)
    base_config = dict(base.config)
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
    moved = ((by_peft - plain).abs().max() / rms).item()
    print(f"{len(saved)} tensors of the adapter; adapter against base: {moved:.2e} of the rms")
    assert moved > 10 * TOLERANCE, "the adapter changes nothing"
    forms = {"diffusers' load_lora_adapter": by_diffusers}
    for path, prefix in MERGED.items():
        if (arguments.adapter / path).exists():
            forms[path] = predict(merged_unet(arguments.adapter / path, prefix, base_config), config)
    for name, prediction in forms.items():
        apart = ((by_peft - prediction).abs().max() / rms).item()
        print(f"{name} against PEFT: {apart:.2e} of the rms")
        assert apart <= TOLERANCE, f"{name} and PEFT disagree"


if __name__ == "__main__":
    main()
