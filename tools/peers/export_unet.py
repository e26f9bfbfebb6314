"""A UNet for bench/peers: as ONNX, as safetensors with its config, and one pass's inputs and PyTorch's output.

    .venv/bin/python tools/peers/export_unet.py --out bench/out/peers/default
    .venv/bin/python tools/peers/export_unet.py --width 0.25 --out bench/out/peers/tango-quarter

The first is the default model's, 5.12 s of sound. With `--width` it is Tango 2's at that part of its channels, heads
and text width, with random weights (seed 0); `--seconds 1.28` makes its passes short enough for slow adapters. The
safetensors hold float16; ONNX and PyTorch compute with the same numbers in float32.
"""

import argparse
import json
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

TOKENS = 16


class OnePass(torch.nn.Module):
    def __init__(self, unet: UNet2DConditionModel):
        super().__init__()
        self.unet = unet

    def forward(self, sample, timestep, text, mask):
        return self.unet(sample, timestep, text, encoder_attention_mask=mask, return_dict=False)[0]


def quarter_width_tango(config_path: Path, width: float) -> UNet2DConditionModel:
    config = {k: v for k, v in json.loads(config_path.read_text()).items() if not k.startswith("_")}
    scale = lambda values: [int(v * width) for v in values]
    config["block_out_channels"] = scale(config["block_out_channels"])
    config["norm_num_groups"] = 16
    config["attention_head_dim"] = [max(1, round(v * width)) for v in config["attention_head_dim"]]
    config["cross_attention_dim"] = int(config["cross_attention_dim"] * width)
    torch.manual_seed(0)
    return UNet2DConditionModel(**config)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("public/models/default/unet"))
    parser.add_argument("--width", type=float, help="export Tango's UNet at this part of its width, random weights")
    parser.add_argument("--seconds", type=float, default=5.12, help="length of the sound, with --width")
    parser.add_argument("--out", type=Path, default=Path("bench/out/peers/default"))
    arguments = parser.parse_args()
    if arguments.width:
        unet = quarter_width_tango(Path("bench/counts/tango2-unet.json"), arguments.width)
        size = (round(25 * arguments.seconds), 16)
    else:
        unet = UNet2DConditionModel.from_pretrained(arguments.model)
        size = (64, 8)
    unet = unet.eval().half()
    arguments.out.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in unet.state_dict().items()}, arguments.out / "unet.safetensors")
    (arguments.out / "config.json").write_text(json.dumps({k: v for k, v in unet.config.items() if not k.startswith("_")}))
    unet = unet.float()
    generator = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.randn(*shape, generator=generator)
    mask = torch.ones(2, TOKENS)
    mask[1, TOKENS // 2 :] = 0
    inputs = {
        "sample": draw(2, unet.config.in_channels, *size),
        "timestep": torch.tensor([500.0]),
        "text": draw(2, TOKENS, unet.config.cross_attention_dim),
        "mask": mask,
    }
    with torch.no_grad():
        expected = OnePass(unet)(*inputs.values())
    shapes = {}
    for name, tensor in {**inputs, "expected": expected}.items():
        (arguments.out / f"{name}.bin").write_bytes(tensor.float().contiguous().numpy().tobytes())
        shapes[name] = list(tensor.shape)
    (arguments.out / "shapes.json").write_text(json.dumps(shapes))
    torch.onnx.export(
        OnePass(unet),
        tuple(inputs.values()),
        str(arguments.out / "unet.onnx"),
        input_names=list(inputs),
        output_names=["noise"],
        dynamo=True,
        external_data=False,
        optimize=True,
    )


if __name__ == "__main__":
    main()
