"""Stage `unet`: diffusers UNet2DConditionModel with v prediction on the VAE's latents, text by cross attention.

The text encoder is frozen; every sample gets a fresh caption of its scene. 10 % of the captions are empty, padded to the batch's length with a mask of one True (`</s>`), exactly as guidance will do it. Ordered pairs
weigh more, and a share of the batches has other lengths. The probe P(loss with the right caption < loss with the
swapped one) at t = 950 shows early whether order is learned.
"""
from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from torch import nn
from transformers import PreTrainedTokenizerFast, T5EncoderModel

from captions import caption
from text_encoder import CONFIG as TEXT_CONFIG
from text_encoder import load_encoder, tokenize, train_tokenizer
from training import Ema, ahead, core_seconds, device, load_state, mixed_precision, save_state
from vae import LATENT_CHANNELS

CONFIG = dict(sample_size=[64, 8], in_channels=LATENT_CHANNELS, out_channels=LATENT_CHANNELS,
              down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
              up_block_types=["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
              block_out_channels=[64, 128, 128, 128], layers_per_block=1, attention_head_dim=4,
              cross_attention_dim=TEXT_CONFIG["d_model"], use_linear_projection=True, norm_num_groups=16)
SCHEDULER = dict(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                 prediction_type="v_prediction", steps_offset=1, set_alpha_to_one=False, clip_sample=False,
                 timestep_spacing="leading", trained_betas=None, skip_prk_steps=True)
LENGTHS, LENGTH_SHARES = (512, 1024, 256, 128), (0.80, 0.06, 0.09, 0.05)
RELATION_WEIGHT = {"single": 1.0, "then": 1.5, "while": 0.9, "three": 1.2, "while_then": 1.0}


def alphas() -> torch.Tensor:
    betas = torch.linspace(SCHEDULER["beta_start"] ** 0.5, SCHEDULER["beta_end"] ** 0.5, 1000) ** 2
    return torch.cumprod(1 - betas, 0)


class Captioned:
    """Scenes of the clips of one length that have latents."""

    def __init__(self, work: Path, frames: int, count: int) -> None:
        self.rows = json.loads((work / f"clips-{frames}.json").read_text())[:count]
        weights = np.array([RELATION_WEIGHT[r["relation"]] for r in self.rows])
        self.cumulative = np.cumsum(weights / weights.sum())

    def batch(self, rng: np.random.Generator, size: int) -> tuple[torch.Tensor, list[str]]:
        """Which clips, and a fresh caption of each; 10 % of the captions are empty."""
        picks = np.sort(np.minimum(np.searchsorted(self.cumulative, rng.random(size)), len(self.rows) - 1))
        scenes = [self.rows[i] for i in picks]
        texts = ["" if rng.random() < 0.1 else caption(r["relation"], r["events"], rng) for r in scenes]
        return torch.from_numpy(picks), texts


def load_latents(work: Path, frames: int) -> torch.Tensor:
    """[clips, 16, T/8, 8], float16, unscaled; memory-mapped, or on the GPU."""
    return torch.from_numpy(np.load(work / f"latents-{frames}.npy", mmap_mode="c")).to(device())


class Workers:
    """Data-parallel processes over gloo, when WORLD_SIZE says so (two single-thread processes use two cores best).

    Gradients are averaged together with each worker's clock, so that all follow one schedule and stop together.
    """

    def __init__(self) -> None:
        # Processes of one machine, on its processor.
        self.size, self.rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
        if self.size > 1:
            torch.distributed.init_process_group("gloo")

    def average(self, parameters: list[nn.Parameter], clock: float) -> float:
        if self.size == 1:
            return clock
        gradients = [p.grad for p in parameters]
        flat = torch.cat([g.flatten() for g in gradients] + [torch.tensor([clock])])
        torch.distributed.all_reduce(flat)
        flat /= self.size
        at = 0
        for g in gradients:
            g.copy_(flat[at:at + g.numel()].view(g.shape))
            at += g.numel()
        return flat[-1].item()


@torch.no_grad()
def encode_all(texts: list[str], tokenizer: PreTrainedTokenizerFast, encoder: T5EncoderModel) -> list[torch.Tensor]:
    """Unpadded states, one [L, D] tensor a caption; sorted by length so that batches waste no padding."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out: list[torch.Tensor] = [torch.empty(0)] * len(texts)
    for k in range(0, len(order), 256):
        part = order[k:k + 256]
        ids, mask = tokenize(tokenizer, [texts[i] for i in part])
        with mixed_precision():
            states = encoder(input_ids=ids.to(device()), attention_mask=mask.to(device())).last_hidden_state
            states = states.to(torch.bfloat16)
        for i, s, m in zip(part, states, mask):
            out[i] = s[:int(m.sum())].clone()
    return out


def pad(states: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    longest, where = max(len(s) for s in states), states[0].device
    out = torch.zeros(len(states), longest, states[0].shape[1], device=where)
    mask = torch.zeros(len(states), longest, dtype=torch.bool, device=where)
    for i, s in enumerate(states):
        out[i, :len(s)], mask[i, :len(s)] = s.float(), True
    return out, mask


def order_probe(net: UNet2DConditionModel, pairs: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]],
                alpha: torch.Tensor) -> float:
    """Share of ordered pairs whose loss is smaller with the right caption than with the swapped one, at t = 950."""
    wins = 0.0
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad(), mixed_precision():
        for i in range(0, len(pairs), 16):
            part = pairs[i:i + 16]
            x = torch.stack([p[0] for p in part])
            noise = torch.randn(x.shape, generator=generator).to(x.device)
            a = alpha[950]
            noisy, v = a.sqrt() * x + (1 - a).sqrt() * noise, a.sqrt() * noise - (1 - a).sqrt() * x
            losses = []
            for side in (1, 2):
                states, mask = pad([p[side] for p in part])
                t = torch.full((len(part),), 950, device=x.device)
                out = net(noisy, t, states, encoder_attention_mask=mask).sample.float()
                losses.append((out - v).square().mean((1, 2, 3)))
            wins += (losses[0] < losses[1]).float().sum().item()
    return wins / len(pairs)


def probe_pairs(latents: torch.Tensor, data: Captioned, tokenizer: PreTrainedTokenizerFast, encoder: T5EncoderModel,
                seed: int, count: int = 96) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    rng = np.random.default_rng([seed, 12])
    picks = [i for i, r in enumerate(data.rows) if r["relation"] == "then"][:count]
    right = [caption("then", data.rows[i]["events"], rng) for i in picks]
    swapped = [caption("then", data.rows[i]["events"][::-1], rng) for i in picks]
    states = encode_all(right + swapped, tokenizer, encoder)
    return list(zip(latents[picks].float(), states[:len(picks)], states[len(picks):]))


def train(work: Path, seed: int, minutes: float, batch: int = 32, lr: float = 1e-3, threads: int = 1) -> None:
    """Runs until `minutes` of core time are used in all; resumes from unet.pt."""
    workers = Workers()
    batch = batch * 6 if device().type == "cuda" else batch
    torch.set_num_threads(threads)
    tokenizer, encoder, alpha = train_tokenizer(work, seed), load_encoder(work).to(device()), alphas().to(device())
    scale = json.loads((work / "latents.json").read_text())["scaling_factor"]
    latents = {n: load_latents(work, n) for n in LENGTHS}
    data = {n: Captioned(work, n, len(latents[n])) for n in LENGTHS}
    pairs = probe_pairs(latents[512] * scale, data[512], tokenizer, encoder, seed)
    torch.manual_seed(seed + 3)
    net = UNet2DConditionModel(**CONFIG).to(device(), memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), lr, (0.9, 0.99), weight_decay=1e-2, fused=True)
    ema = Ema(net, 0.998)
    parts = {"net": net, "o": optimizer, "ema": ema}
    used, step = load_state(work / "unet.pt", parts)
    torch.manual_seed(seed + 3 + step * 8 + workers.rank)
    shared = np.random.default_rng([seed, step, 3])

    def draw(rng: np.random.Generator) -> tuple[int, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        frames = LENGTHS[(shared if workers.size > 1 else rng).choice(len(LENGTHS), p=LENGTH_SHARES)]
        picks, texts = data[frames].batch(rng, max(4, min(2 * batch, batch * 512 // frames)))
        # Slightly more of the high noise levels, where the plan of the clip is decided.
        t = torch.from_numpy((999 * rng.random(len(picks)) ** 0.8).round().astype(np.int64))
        return frames, picks, *tokenize(tokenizer, texts), t

    batches = ahead(draw, [seed, step, workers.rank, 4])
    parameters = list(net.parameters())
    started, saved = core_seconds(), time.time()
    begun, log = used, []
    while used < minutes * 60:
        frames, *drawn = next(batches)
        picks, ids, mask, t = (x.to(device(), non_blocking=True) for x in drawn)
        x = latents[frames][picks].float() * scale
        with torch.no_grad():
            hidden = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        a = alpha[t].view(-1, 1, 1, 1)
        noise = torch.randn_like(x)
        noisy = (a.sqrt() * x + (1 - a).sqrt() * noise).contiguous(memory_format=torch.channels_last)
        v = a.sqrt() * noise - (1 - a).sqrt() * x
        with mixed_precision():
            out = net(noisy, t, hidden, encoder_attention_mask=mask).sample
        loss = (out.float() - v).square().mean()
        decay = 1.0 if used < 0.5 * minutes * 60 else max(0.03, math.cos(math.pi * (used / (minutes * 60) - 0.5)))
        optimizer.param_groups[0]["lr"] = lr * min(1, (step + 1) / 200) * decay
        optimizer.zero_grad()
        loss.backward()
        used = workers.average(parameters, begun + core_seconds() - started)
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        ema.update(net)
        step += 1
        log.append(loss.detach())
        now = time.time()
        if workers.rank == 0 and step % 50 == 0:
            line = {"step": step, "minutes": round(used / 60, 1), "loss": round(torch.stack(log[-50:]).mean().item(), 4)}
            if step % 400 == 0:
                line["order"] = round(order_probe(net, pairs, alpha), 3)
            print(json.dumps(line), flush=True)
        if workers.rank == 0 and now - saved > 180:
            saved = now
            save_state(work / "unet.pt", parts, used, step)
    if workers.rank == 0:
        save_state(work / "unet.pt", parts, used, step)


def load_unet(work: Path) -> UNet2DConditionModel:
    net = UNet2DConditionModel(**CONFIG)
    net.load_state_dict(torch.load(work / "unet.pt", map_location="cpu", weights_only=True)["ema"])
    return net.eval().requires_grad_(False)
