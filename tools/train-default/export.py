"""Stage `export`: a diffusers folder with f16 safetensors, tokenizer, configs and files.json.

Parts that are not trained yet are exported with random weights when `allow_random` is set, so that an app can be
built against the final shapes.
"""
from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from torch import nn
from transformers import T5Config, T5EncoderModel

import codec
import text_encoder
import unet
import vae
import vocoder

NAME = "Tango Studio small"
INDEX = {"_class_name": "TangoPipeline", "_diffusers_version": "0.42.1",
         "tokenizer": ["transformers", "PreTrainedTokenizerFast"], "text_encoder": ["transformers", "T5EncoderModel"],
         "unet": ["diffusers", "UNet2DConditionModel"], "scheduler": ["diffusers", "DPMSolverMultistepScheduler"],
         "vae": ["diffusers", "AutoencoderKL"], "vocoder": ["transformers", "SpeechT5HifiGan"]}
RUN_TIME = ("model_index.json", "scheduler/scheduler_config.json", "text_encoder/config.json",
            "text_encoder/model.safetensors", "tokenizer/special_tokens_map.json", "tokenizer/tokenizer.json",
            "tokenizer/tokenizer_config.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors",
            "vae/config.json", "vae/diffusion_pytorch_model.safetensors", "vocoder/config.json",
            "vocoder/model.safetensors")


def _json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n")


def half(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """To f16; a weight that overflows is an error, not a clip."""
    out = {}
    for key, value in state.items():
        value = value.detach().to(torch.float16).contiguous().clone()
        if not torch.isfinite(value).all():
            raise OverflowError(f"{key} does not fit f16")
        out[key] = value
    return out


def _save(state: dict[str, torch.Tensor], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(half(state), path, {"format": "pt"})


def _trained(path: Path, allow_random: bool) -> bool:
    if not path.exists() and not allow_random:
        raise FileNotFoundError(f"{path} is missing: run its stage first")
    return path.exists()


def export(work: Path, out: Path, seed: int, allow_random: bool = False) -> None:
    torch.manual_seed(seed)
    _json(out / "model_index.json", INDEX)
    _json(out / "scheduler/scheduler_config.json",
          {"_class_name": "DPMSolverMultistepScheduler", "_diffusers_version": "0.42.1"} | unet.SCHEDULER)

    text_encoder.train_tokenizer(work, seed).save_pretrained(out / "tokenizer")
    special = {"eos_token": text_encoder.EOS, "pad_token": text_encoder.PAD, "unk_token": text_encoder.UNK}
    _json(out / "tokenizer/special_tokens_map.json", special)
    _json(out / "tokenizer/tokenizer_config.json",
          special | {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512,
                     "clean_up_tokenization_spaces": False})
    encoder = (text_encoder.load_encoder(work) if _trained(work / "text_encoder.pt", allow_random)
               else T5EncoderModel(T5Config(**text_encoder.CONFIG)))
    encoder.config.architectures = ["T5EncoderModel"]
    config = json.loads(encoder.config.to_json_string()) | {"torch_dtype": "float16"}
    _json(out / "text_encoder/config.json", config)
    state = encoder.state_dict()
    state.pop("encoder.embed_tokens.weight", None)  # tied to shared.weight
    _save(state, out / "text_encoder/model.safetensors")

    net = (unet.load_unet(work) if _trained(work / "unet.pt", allow_random) else UNet2DConditionModel(**unet.CONFIG))
    _export_diffusers(net, out / "unet")

    learned_together = codec.averages(work)
    if learned_together:
        autoencoder, generator = learned_together
    else:
        autoencoder = vae.load_vae(work / "vae.pt") if _trained(work / "vae.pt", allow_random) else vae.Vae()
        trained = _trained(work / "vocoder.pt", allow_random)
        generator = vocoder.load_generator(work / "vocoder.pt") if trained else vocoder.Generator()
    scale = 1.0
    if _trained(work / "latents.json", allow_random):
        scale = json.loads((work / "latents.json").read_text())["scaling_factor"]
    autoencoder.net.register_to_config(scaling_factor=scale)
    _export_diffusers(autoencoder.net, out / "vae")
    _json(out / "vocoder/config.json", {"architectures": ["SpeechT5HifiGan"], "model_type": "speecht5_hifigan"} | vocoder.CONFIG)
    _save(vocoder.hifi_gan_state(generator.state_dict()), out / "vocoder/model.safetensors")
    write_files_json(out)


def _export_diffusers(model: nn.Module, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    model.save_config(folder)
    _save(model.state_dict(), folder / "diffusion_pytorch_model.safetensors")


def write_files_json(out: Path) -> None:
    """What the studio fetches, with the card once it is written: the panel shows its licence and first words."""
    files = []
    for path in (*RUN_TIME, *(["README.md"] if (out / "README.md").exists() else [])):
        data = (out / path).read_bytes()
        files.append({"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    _json(out / "files.json", {"id": "default", "name": NAME, "files": files})
    for path in (out, *out.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    print(f"export: {sum(f['size'] for f in files) / 1e6:.1f} MB in {out}")
