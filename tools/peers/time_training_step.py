"""PyTorch's seconds, on the same GPU, for the step of fine-tuning that `node bench/gpu/run.mjs` times.

    .venv/bin/python tools/peers/time_training_step.py

Tango 2's UNet with random weights, one pair of 10.24 s: the reference's pass without the adapter, a pass with it, its
gradients (PEFT, rank 8 on attention, beta 2000), AdamW. In float32 with and without TF32, with the tape kept and with
gradient checkpointing, which the studio calls computed again. Prints JSON: seconds of warm steps, peak bytes.
"""

import json
import time
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig, get_peft_model

RANK, BETA, TIMESTEP, TOKENS, FRAMES = 8, 2000.0, 500, 32, 256
ROUNDS = 5


def main() -> None:
    config = json.loads(Path("bench/counts/tango2-unet.json").read_text())
    torch.manual_seed(0)
    with torch.device("cuda"):
        unet = UNet2DConditionModel(**{k: v for k, v in config.items() if not k.startswith("_")}).eval()
        model = get_peft_model(unet, LoraConfig(r=RANK, lora_alpha=RANK, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
        noisy, target = (torch.randn(2, config["in_channels"], FRAMES, 16) for _ in range(2))
        text, mask = torch.randn(2, TOKENS, config["cross_attention_dim"]), torch.ones(2, TOKENS, dtype=torch.bool)
        timesteps = torch.tensor([TIMESTEP, TIMESTEP])
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)

    def errors() -> torch.Tensor:
        output = model(noisy, timesteps, text, encoder_attention_mask=mask).sample
        return (output - target).pow(2).mean(dim=(1, 2, 3))

    def step() -> float:
        torch.cuda.synchronize()
        began = time.perf_counter()
        optimizer.zero_grad()
        with torch.no_grad(), model.disable_adapter():
            reference = errors()
        above = errors() - reference
        (-torch.nn.functional.logsigmoid(-0.5 * BETA * (above[0] - above[1]))).backward()
        optimizer.step()
        torch.cuda.synchronize()
        return time.perf_counter() - began

    results = {"device": torch.cuda.get_device_name(), "torch": torch.__version__}
    for tf32 in (False, True):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        for recompute in (False, True):
            model.train(recompute)  # checkpointing is for training mode; nothing here drops out
            (unet.enable_gradient_checkpointing if recompute else unet.disable_gradient_checkpointing)()
            torch.cuda.reset_peak_memory_stats()
            step()
            seconds = [step() for _ in range(ROUNDS)]
            name = f"{'TF32' if tf32 else 'float32'}, {'computed again' if recompute else 'kept'}"
            results[name] = {"seconds": seconds, "peakBytes": torch.cuda.max_memory_allocated()}
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
