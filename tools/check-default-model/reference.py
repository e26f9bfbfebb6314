"""The default model's stages from PyTorch, to compare with the studio's own.

    python tools/check-default-model/reference.py [model folder]
    npx vitest run --config tools/check-default-model/vitest.config.ts

Loads the folder (public/models/default) with transformers and diffusers, in float32 from its float16 files, makes two
clips and writes every stage to .cache/check-default-model/reference.safetensors.

The vocoder runs in float64: rounding of its input is amplified a thousandfold at single samples, so that PyTorch's own
float32 is up to 1.5e-3 of the RMS away from it (`float32_error` in the metadata).
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))
from common import REPOSITORY, hide_torchaudio, write_fixture  # noqa: E402

hide_torchaudio()

import torch  # noqa: E402
from diffusers import AutoencoderKL, DDPMScheduler, DPMSolverMultistepScheduler, UNet2DConditionModel  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from transformers import PreTrainedTokenizerFast, SpeechT5HifiGan, SpeechT5HifiGanConfig, T5EncoderModel  # noqa: E402

FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "public/models/default"
SCHEDULERS = {"dpm-solver++": DPMSolverMultistepScheduler, "ddpm": DDPMScheduler}
REQUESTS = {
    "dpm": {"prompt": "a dog barks and then a telephone rings", "negativePrompt": "", "scheduler": "dpm-solver++", "steps": 10, "seed": 42, "guidanceScale": 3.0, "durationSeconds": 5.12},
    "ddpm": {"prompt": "Rain falls on a roof", "negativePrompt": "music", "scheduler": "ddpm", "steps": 5, "seed": 7, "guidanceScale": 2.0, "durationSeconds": 2.0},
}  # fmt: skip


def vocoder() -> SpeechT5HifiGan:
    """Loaded by hand, so that weight norm and renamed keys of other versions do not matter."""
    config = json.loads((FOLDER / "vocoder/config.json").read_text())
    model = SpeechT5HifiGan(SpeechT5HifiGanConfig(**{k: v for k, v in config.items() if k not in ("architectures", "model_type")}))
    missing, unexpected = model.load_state_dict(
        {k: v.float() for k, v in load_file(FOLDER / "vocoder/model.safetensors").items()}, strict=False
    )
    assert not unexpected and set(missing) <= {"mean", "scale"}, (missing, unexpected)
    return model.eval()


@torch.no_grad()
def main() -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(FOLDER / "tokenizer")
    text_encoder = T5EncoderModel.from_pretrained(FOLDER / "text_encoder", dtype=torch.float32).eval()
    unet = UNet2DConditionModel.from_pretrained(FOLDER / "unet", torch_dtype=torch.float32).eval()
    vae = AutoencoderKL.from_pretrained(FOLDER / "vae", torch_dtype=torch.float32).eval()
    hifi_gan = vocoder()
    hop = math.prod(hifi_gan.config.upsample_rates)
    vae_factor = 2 ** (len(vae.config.block_out_channels) - 1)
    multiple = vae_factor * 2 ** (len(unet.config.block_out_channels) - 1)
    tensors, float32_error = {}, {}
    for name, request in REQUESTS.items():
        frames = math.ceil(round(request["durationSeconds"] * hifi_gan.config.sampling_rate) / hop)
        frames = math.ceil(frames / multiple) * multiple
        text = tokenizer([request["negativePrompt"], request["prompt"]], padding=True, truncation=True, return_tensors="pt")
        states = text_encoder(input_ids=text.input_ids, attention_mask=text.attention_mask).last_hidden_state
        scheduler = SCHEDULERS[request["scheduler"]].from_pretrained(FOLDER, subfolder="scheduler")
        scheduler.set_timesteps(request["steps"])
        generator = torch.Generator("cpu").manual_seed(request["seed"])
        shape = (1, unet.config.in_channels, frames // vae_factor, hifi_gan.config.model_in_dim // vae_factor)
        latents = torch.randn(shape, generator=generator) * scheduler.init_noise_sigma
        steps = []
        for t in scheduler.timesteps:
            output = unet(
                torch.cat([latents, latents]), t, encoder_hidden_states=states, encoder_attention_mask=text.attention_mask.bool()
            ).sample
            unconditional, conditional = output.chunk(2)
            output = unconditional + request["guidanceScale"] * (conditional - unconditional)
            latents = scheduler.step(output, t, latents, generator=generator).prev_sample
            steps.append(latents)
        mel = vae.decode(latents / vae.config.scaling_factor).sample
        waveform = hifi_gan(mel[:, 0])
        exact = hifi_gan.double()(mel[:, 0].double()).float()
        hifi_gan.float()
        rms = exact.square().mean().sqrt()
        float32_error[name] = {"max": ((waveform - exact).abs().max() / rms).item(), "rms": ((waveform - exact).square().mean().sqrt() / rms).item()}
        stages = {"ids": text.input_ids, "text_states": states, "latents": torch.stack(steps), "mel": mel, "waveform": exact}
        tensors |= {f"{name}/{stage}": tensor for stage, tensor in stages.items()}
    write_fixture(".cache/check-default-model/reference.safetensors", tensors, requests=REQUESTS, folder=str(FOLDER), float32_error=float32_error)


if __name__ == "__main__":
    main()
