"""One step of LoRA diffusion-DPO for bench/training, and how long PyTorch takes for it.

    .venv/bin/python tools/peers/export_training_step.py --out bench/out/training/default
    .venv/bin/python tools/peers/export_training_step.py --width 0.25 --out bench/out/training/tango-quarter

The UNets are export_unet.py's: the default model's, or a part of Tango 2's width with random weights; one pair of
5.12 s. A step is the reference's pass without the adapter, a pass with it, its gradients (PEFT, rank 8 on attention,
beta 2000) and AdamW. Writes the UNet, the inputs and the gradients, and in torch.json the seconds of each warm step
with `--threads`, and the processor's seconds, which other processes change little.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from export_unet import TOKENS, quarter_width_tango
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

RANK = 8
BETA = 2000.0
TIMESTEP = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("public/models/default/unet"))
    parser.add_argument("--width", type=float)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.width:
        unet, size = quarter_width_tango(Path("bench/counts/tango2-unet.json"), arguments.width), (128, 16)
    else:
        unet, size = UNet2DConditionModel.from_pretrained(arguments.model), (64, 8)
    unet = unet.eval().half()
    arguments.out.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in unet.state_dict().items()}, arguments.out / "unet.safetensors")
    (arguments.out / "config.json").write_text(json.dumps({k: v for k, v in unet.config.items() if not k.startswith("_")}))
    unet = unet.float()

    torch.manual_seed(2)
    model = get_peft_model(unet, LoraConfig(r=RANK, lora_alpha=RANK, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
    trained = {
        name.removeprefix("base_model.model.").replace(".default.weight", ".weight"): parameter
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    generator = torch.Generator().manual_seed(3)
    draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    with torch.no_grad():
        for name in sorted(trained):
            trained[name].copy_(draw(*trained[name].shape) * (0.1 if "lora_A" in name else 0.001))
    shape = (2, unet.config.in_channels, *size)
    text, mask = draw(1, TOKENS, unet.config.cross_attention_dim), torch.ones(2, TOKENS)
    mask[:, TOKENS // 2 :] = 0
    data = {"noisy": draw(*shape), "target": draw(*shape), "text": text.repeat(2, 1, 1), "mask": mask}
    timesteps = torch.tensor([TIMESTEP, TIMESTEP])
    optimizer = torch.optim.AdamW(trained.values(), lr=0.0)

    def errors() -> torch.Tensor:
        output = model(data["noisy"], timesteps, data["text"], encoder_attention_mask=mask.bool()).sample
        return (output - data["target"]).pow(2).mean(dim=(1, 2, 3))

    def step() -> None:
        optimizer.zero_grad()
        with torch.no_grad(), model.disable_adapter():
            reference = errors()
        above = errors() - reference
        (-torch.nn.functional.logsigmoid(-0.5 * BETA * (above[0] - above[1]))).backward()
        optimizer.step()

    seconds, cpu_seconds = [], []
    for _ in range(arguments.rounds + 1):
        began, cpu_began = time.perf_counter(), time.process_time()
        step()
        seconds.append(time.perf_counter() - began)
        cpu_seconds.append(time.process_time() - cpu_began)
    gradients = torch.cat([trained[name].grad.reshape(-1) for name in sorted(trained)])
    tensors = {**data, **{name: value.detach() for name, value in trained.items()}}
    save_file({name: value.float().contiguous() for name, value in tensors.items()}, arguments.out / "inputs.safetensors")
    (arguments.out / "expected.bin").write_bytes(gradients.numpy().astype(np.float32).tobytes())
    (arguments.out / "step.json").write_text(json.dumps({"rank": RANK, "beta": BETA, "timestep": TIMESTEP}))
    (arguments.out / "torch.json").write_text(json.dumps(
            {"threads": arguments.threads, "seconds": seconds[1:], "cpuSeconds": cpu_seconds[1:], "torch": torch.__version__}
        ))


if __name__ == "__main__":
    main()
