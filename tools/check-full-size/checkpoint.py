"""A Tango 2 of the published size and layout with random weights, and what PyTorch makes of it, stage by stage.

    python tools/check-full-size/checkpoint.py FOLDER

Writes FOLDER/checkpoint (pytorch_model_{main,vae,stft}.bin, their configs and a tokenizer: about 5 GB) and
FOLDER/reference (reference.json and one raw float32 file a tensor). Every stage gets PyTorch's own input, so that each
is compared by itself. One model at a time is in memory: 9 GB at most. `npm run check:full-size` runs it.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tools/fixtures"))
from common import hide_torchaudio  # noqa: E402

hide_torchaudio()

import tango_released as released  # noqa: E402
import torch  # noqa: E402
from diffusers import AutoencoderKL, UNet2DConditionModel  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig, T5Config, T5EncoderModel  # noqa: E402

SEED = 2024
PROMPT = "a dog barks and then a telephone rings while rain falls on a tin roof"
TIMESTEP = 501
LATENT_SHAPE = (2, 8, 256, 16)
TOKENIZER = REPOSITORY / "src/text/fixtures/byte-level-bpe-tokenizer.json"
# google/flan-t5-large's encoder.
TEXT_ENCODER = {
    "vocab_size": 32128, "d_model": 1024, "d_kv": 64, "d_ff": 2816, "num_layers": 24, "num_heads": 16,
    "feed_forward_proj": "gated-gelu", "layer_norm_epsilon": 1e-6,
}  # fmt: skip
# configs/diffusion_model_config.json of declare-lab/tango.
UNET = {
    "_class_name": "UNet2DConditionModel", "in_channels": 8, "out_channels": 8, "layers_per_block": 2,
    "block_out_channels": [320, 640, 1280, 1280], "attention_head_dim": [5, 10, 20, 20], "cross_attention_dim": 1024,
    "use_linear_projection": True, "upcast_attention": True, "norm_num_groups": 32,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
}  # fmt: skip
VAE_CONFIG = {
    **released.VAE_CONFIG,
    "ddconfig": {**released.VAE_CONFIG["ddconfig"], "ch": 128, "ch_mult": [1, 2, 4], "num_res_blocks": 2},
}
VAE = {**released.VAE, "block_out_channels": [128, 256, 512], "layers_per_block": 2}
VOCODER = {**released.VOCODER, "upsample_initial_channel": 1024}
STFT = {"mel_basis": (64, 513), "stft_fn.forward_basis": (1026, 1, 1024), "stft_fn.inverse_basis": (1026, 1, 1024)}


def fill(module: torch.nn.Module, generator: torch.Generator) -> torch.nn.Module:
    """Draws every parameter so that activations keep their order of magnitude; T5's queries as T5 itself draws them."""
    for name, tensor in module.state_dict().items():
        if tensor.dim() >= 2:
            fan_in = tensor.numel() / tensor.shape[0]
            tensor.normal_(generator=generator).div_(fan_in**0.5)
            if name.endswith("SelfAttention.q.weight"):
                tensor.div_(8)  # sqrt(d_kv), which T5's attention does not divide by
        else:
            tensor.normal_(generator=generator).mul_(0.1)
            if name.endswith("weight"):
                tensor.add_(1)
    return module.eval()


class Reference:
    """Tensors as raw float32 files with an index."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.index = folder, {}
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, tensor: torch.Tensor) -> None:
        tensor.detach().float().contiguous().numpy().tofile(self.folder / f"{name}.f32")
        self.index[name] = list(tensor.shape)
        print(f"  {name} {list(tensor.shape)} rms {tensor.float().pow(2).mean().sqrt():.4g}", flush=True)

    def write(self, **more: object) -> None:
        (self.folder / "reference.json").write_text(json.dumps({"tensors": self.index, **more}))


@torch.no_grad()
def main(folder: Path) -> None:
    checkpoint = folder / "checkpoint"
    checkpoint.mkdir(parents=True, exist_ok=True)
    reference = Reference(folder / "reference")
    generator = torch.Generator().manual_seed(SEED)
    randn = lambda *shape: torch.randn(shape, generator=generator)  # noqa: E731

    print("text encoder", flush=True)
    tokenizer = Tokenizer.from_file(str(TOKENIZER))
    tokenizer.enable_padding(pad_id=0, pad_token="<pad>")
    encoded = tokenizer.encode_batch(["", PROMPT])
    ids, mask = (torch.tensor([getattr(e, field) for e in encoded]) for field in ("ids", "attention_mask"))
    text_encoder = fill(T5EncoderModel(T5Config(**TEXT_ENCODER)), generator)
    states = text_encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    reference.add("text_states", states)
    reference.add("text_mask", mask)
    main_file = {f"text_encoder.{name}": tensor for name, tensor in text_encoder.state_dict().items()}

    print("UNet", flush=True)
    unet = fill(UNet2DConditionModel(**{k: v for k, v in UNET.items() if k != "_class_name"}), generator)
    sample = randn(*LATENT_SHAPE)
    prediction = unet(sample, TIMESTEP, encoder_hidden_states=states, encoder_attention_mask=mask.bool()).sample
    reference.add("sample", sample)
    reference.add("prediction", prediction)
    main_file |= {f"unet.{name}": tensor for name, tensor in unet.state_dict().items()}
    torch.save(main_file, checkpoint / "pytorch_model_main.bin")
    parameters = sum(tensor.numel() for tensor in unet.parameters())
    del main_file, unet, text_encoder

    print("autoencoder and vocoder", flush=True)
    vae = fill(AutoencoderKL(**VAE), generator)
    latents = randn(1, *LATENT_SHAPE[1:])
    mel = vae.decode(latents / VAE["scaling_factor"]).sample
    reference.add("latents", latents)
    reference.add("mel", mel)
    vae_file = {}
    for name, tensor in vae.state_dict().items():
        convolution = ".attentions." in name and tensor.dim() == 2
        vae_file[released.audioldm_name(name)] = tensor[:, :, None, None] if convolution else tensor
    vocoder = SpeechT5HifiGan(SpeechT5HifiGanConfig(**VOCODER))
    fill(vocoder, generator)
    vocoder.mean.zero_()
    vocoder.scale.fill_(1)
    reference.add("waveform", vocoder(mel[:, 0]))
    for name, tensor in vocoder.state_dict().items():
        if name not in ("mean", "scale"):
            vae_file[f"vocoder.{name.replace('upsampler.', 'ups.')}"] = tensor
    torch.save(vae_file, checkpoint / "pytorch_model_vae.bin")
    torch.save({name: torch.zeros(shape) for name, shape in STFT.items()}, checkpoint / "pytorch_model_stft.bin")

    configs = {"main_config": released.MAIN_CONFIG, "vae_config": VAE_CONFIG, "stft_config": released.STFT_CONFIG}
    for name, config in configs.items():
        (checkpoint / f"{name}.json").write_text(json.dumps(config))
    shutil.copy(TOKENIZER, checkpoint / "tokenizer.json")
    (checkpoint / "tokenizer_config.json").write_text('{"model_max_length": 512, "pad_token": "<pad>"}')
    reference.write(prompt=PROMPT, timestep=TIMESTEP, inputIds=ids.tolist(), unetParameters=parameters)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
