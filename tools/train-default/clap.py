"""Stage `clap`: small CLAPs of transformers' ClapModel class (HTSAT and RoBERTa), trained from nothing.

Contrastive, with captions in another order and captions with another event as hard negatives: without them a CLAP of
this size tells which events are there and not in what order. Heads that are thrown away afterwards name the event and
its step in the scene: of each part of the sound, of each word, and from either embedding. Where they read matters. The
audio tower averages over places, so a place has to know its step before; the text tower gathers its first token's state
in the last layer, so words have to know theirs in the layer before it.
"""
from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import ClapConfig, ClapModel

from captions import held_out_pairs
from clap_data import (STEPS, VOCABULARY, Features, Scene, augment, build_features, frame_targets, key, near_misses,
                       slot_targets, tokenize, train_tokenizer)
from sounds import NAMES
from training import Ema, ahead, core_seconds, device, load_state, mixed_precision, save_state

TEXT = dict(vocab_size=VOCABULARY, max_position_embeddings=130, type_vocab_size=1, hidden_act="gelu", pad_token_id=1,
            bos_token_id=0, eos_token_id=2, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
AUDIO = dict(num_mel_bins=64, spec_size=128, window_size=8, enable_fusion=False, fusion_type=None,
             hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, drop_path_rate=0.0)
# Two that differ in size, patches, seed, tokens and the order of the data, so that an ensemble means something.
MODELS: dict[str, dict] = {
    "default-clap-1": dict(
        seed=101, projection=128,
        text=dict(hidden_size=128, intermediate_size=384, num_hidden_layers=3, num_attention_heads=4),
        audio=dict(patch_size=8, patch_stride=[8, 8], patch_embeds_hidden_size=80, depths=[2, 4],
                   num_attention_heads=[4, 8], hidden_size=160, num_hidden_layers=2, mlp_ratio=4.0)),
    "default-clap-2": dict(
        seed=202, projection=96,
        text=dict(hidden_size=96, intermediate_size=384, num_hidden_layers=4, num_attention_heads=4),
        audio=dict(patch_size=12, patch_stride=[8, 8], patch_embeds_hidden_size=64, depths=[2, 5],
                   num_attention_heads=[4, 8], hidden_size=128, num_hidden_layers=2, mlp_ratio=4.0)),
}


def build(name: str) -> ClapModel:
    m = MODELS[name]
    config = ClapConfig(text_config=TEXT | m["text"], audio_config=AUDIO | m["audio"], projection_dim=m["projection"])
    return ClapModel(config)


class Heads(nn.Module):
    """Thrown away after training."""

    def __init__(self, config: ClapConfig) -> None:
        super().__init__()
        classes = len(NAMES)
        self.frames = nn.Linear(config.audio_config.hidden_size, STEPS * classes)
        self.tokens = nn.Linear(config.text_config.hidden_size, classes)
        self.steps = nn.Linear(config.text_config.hidden_size, STEPS)
        self.slots = nn.Linear(config.projection_dim, STEPS * classes)

    def frame_loss(self, states: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """states: [B, D, F, T], the audio tower's last states."""
        return bce(self.frames(states.float().mean(2).transpose(1, 2)).unflatten(2, (STEPS, -1)), wanted)

    def token_loss(self, states: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        inside = labels[..., 0] >= 0
        picked = states.float()[inside]
        return (F.cross_entropy(self.tokens(picked), labels[..., 0][inside])
                + F.cross_entropy(self.steps(picked), labels[..., 1][inside]))

    def slot_loss(self, embeddings: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        return bce(self.slots(8 * embeddings).view(wanted.shape), wanted)


def bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(logits, targets) * len(NAMES)


def same_scenes(scenes: list[Scene], texts: list[Scene]) -> torch.Tensor:
    """[sounds, captions]: which captions are right for a sound that is not theirs."""
    keys = {k: i for i, k in enumerate({key(s) for s in texts})}
    of_audio, of_text = (torch.tensor([keys[key(s)] for s in of]) for of in (scenes, texts))
    same = of_audio[:, None] == of_text[None]
    return same.fill_diagonal_(False)


def contrastive(model: ClapModel, audio: torch.Tensor, text: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
    """Each sound against every caption, each of its own captions against every sound; same scenes are no negatives."""
    n = len(audio)
    cosine, labels = audio @ text.t(), torch.arange(n, device=audio.device)
    of_sound = (cosine * model.logit_scale_a.exp().clamp(max=60)).masked_fill(same, float("-inf"))
    of_caption = (cosine * model.logit_scale_t.exp().clamp(max=60)).masked_fill(same, float("-inf"))[:, :n].t()
    return (F.cross_entropy(of_sound, labels) + F.cross_entropy(of_caption, labels)) / 2


def train(name: str, clips: Path, work: Path, minutes: float, batch: int = 32, lr: float = 1.5e-3,
          threads: int = 1) -> None:
    """Budget in core minutes; goes on from <name>.pt when it is there."""
    seed = MODELS[name]["seed"]
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    build_features(clips, work)
    tokenizer = train_tokenizer(work / f"{name}-tokenizer.json", seed)
    features, held_out = Features(clips, work), held_out_pairs(0)
    batch = batch * 8 if device().type == "cuda" else batch
    model = build(name).to(device())
    heads = Heads(model.config).to(device())
    # The first normalisation sees levels, not only batches: its statistics begin near what they will be.
    batch_norm = model.audio_model.audio_encoder.batch_norm
    batch_norm.running_mean.fill_(-60)
    batch_norm.running_var.fill_(900)
    parameters = [*model.parameters(), *heads.parameters()]
    # HTSAT knows time by its biases alone. Near zero, and moved by a step of 1e-3 at most, they would learn where to
    # look after the training has ended: heads begin by looking in directions of their own, and turn faster.
    tables = [p for n, p in model.named_parameters() if n.endswith("relative_position_bias_table")]
    if not (work / f"{name}.pt").exists():
        for table in tables:
            nn.init.normal_(table, std=1.5)
    others = [p for p in parameters if not any(p is table for table in tables)]
    optimizer = torch.optim.AdamW([{"params": others, "factor": 1.0}, {"params": tables, "factor": 10.0, "weight_decay": 0.0}],
                                  lr, (0.9, 0.98), weight_decay=2e-2, fused=True)
    ema = Ema(model, 0.998)
    parts = {"model": model, "heads": heads, "o": optimizer, "ema": ema}
    used, step = load_state(work / f"{name}.pt", parts)
    with torch.no_grad():
        bins = model.eval().audio_model(input_features=features.batch(np.arange(1)).unsqueeze(1)).last_hidden_state.shape[3]
    model.train()
    rows = features.rows

    def draw(rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
        picks = rng.choice(len(rows), batch, replace=False)
        scenes: list[Scene] = [(rows[i]["relation"], rows[i]["events"]) for i in picks]
        misses = [near_misses(scene, rng, held_out) for scene in scenes]
        texts = scenes + [m[0] for m in misses] + [m[1] for m in misses]
        wanted = slot_targets(texts)
        return (torch.from_numpy(picks), *tokenize(tokenizer, texts, rng), same_scenes(scenes, texts), wanted,
                frame_targets([rows[i] for i in picks], bins))

    batches, rng = ahead(draw, [seed, step, 1]), np.random.default_rng([seed, step])
    begun, started, saved, log = used, core_seconds(), time.time(), []
    while used < minutes * 60:
        picks, *drawn = next(batches)
        ids, mask, labels, same, wanted, frames = (x.to(device(), non_blocking=True) for x in drawn)
        mel = augment(features.batch(picks.numpy()), rng)
        done = used / (minutes * 60)
        rate = lr * min(1, (step + 1) / 150) * max(0.02, 0.5 * (1 + math.cos(math.pi * done)))
        for group in optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        with mixed_precision():
            heard = model.audio_model(input_features=mel.unsqueeze(1))
            read = model.text_model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
            audio = model.audio_projection(heard.pooler_output)
            text = model.text_projection(read.pooler_output)
        audio, text = F.normalize(audio.float(), dim=-1), F.normalize(text.float(), dim=-1)
        losses = {"match": contrastive(model, audio, text, same),
                  "frames": heads.frame_loss(heard.last_hidden_state, frames),
                  "tokens": heads.token_loss(read.hidden_states[-2], labels),
                  "audio": heads.slot_loss(audio, wanted[:batch]), "text": heads.slot_loss(text, wanted)}
        loss = losses["match"] + 0.5 * (losses["frames"] + losses["tokens"] + losses["audio"] + losses["text"])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        ema.update(model)
        step, used = step + 1, begun + core_seconds() - started
        log.append(torch.stack([x.detach() for x in losses.values()]))
        if step % 50 == 0:
            means = np.round(torch.stack(log[-50:]).mean(0).tolist(), 3).tolist()
            print(json.dumps({"step": step, "minutes": round(used / 60, 2)} | dict(zip(losses, means))), flush=True)
        if time.time() - saved > 90:
            saved = time.time()
            save_state(work / f"{name}.pt", parts, used, step)
    save_state(work / f"{name}.pt", parts, used, step)


def load(name: str, work: Path) -> ClapModel:
    model = build(name)
    model.load_state_dict(torch.load(work / f"{name}.pt", map_location="cpu", weights_only=True)["ema"])
    return model.eval().requires_grad_(False)
