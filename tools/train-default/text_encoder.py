"""Stage `text`: byte-level BPE tokenizer and a small T5 encoder, pretrained to say which events come in which order.

After this stage the encoder is frozen: trained together with the UNet it forgets the order of events.
"""
from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import nn
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

from captions import caption, held_out_pairs, marked_caption, random_scene, slots, step_of
from sounds import NAMES
from training import ahead, core_seconds, device, load_state, mixed_precision, save_state

PAD, EOS, UNK = "<pad>", "</s>", "<unk>"
VOCABULARY = 1024
STEPS = 3
WEIGHTS = (0.2, 0.4, 0.15, 0.15, 0.1)
CONFIG = dict(vocab_size=VOCABULARY, d_model=128, d_kv=32, d_ff=320, num_layers=4, num_heads=4,
              feed_forward_proj="gated-gelu", dropout_rate=0.0, pad_token_id=0, eos_token_id=1,
              relative_attention_num_buckets=32, relative_attention_max_distance=128, tie_word_embeddings=False,
              is_encoder_decoder=False, use_cache=False)


def train_tokenizer(work: Path, seed: int) -> PreTrainedTokenizerFast:
    """BPE over bytes: any Unicode text has a piece for every byte, so nothing is unknown."""
    path = work / "tokenizer.json"
    if not path.exists():
        rng = np.random.default_rng([seed, 5])
        texts = (caption(*random_scene(rng, WEIGHTS, set()), rng) for _ in range(30000))
        tokenizer = Tokenizer(models.BPE(unk_token=UNK))
        tokenizer.normalizer = normalizers.Lowercase()
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=[PAD, EOS, UNK], show_progress=False,
                                      initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
        tokenizer.train_from_iterator(texts, trainer)
        tokenizer.post_processor = processors.TemplateProcessing(f"$A {EOS}", special_tokens=[(EOS, 1)])
        tokenizer.save(str(path))
    return PreTrainedTokenizerFast(tokenizer_file=str(path), pad_token=PAD, eos_token=EOS, unk_token=UNK,
                                   model_max_length=512)


class SlotHead(nn.Module):
    """One learned query for each step of a scene attends to the states and names the classes of its step."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(STEPS, width) * 0.02)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.out = nn.Linear(width, len(NAMES))

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        queries = self.queries.expand(len(states), -1, -1)
        return self.out(self.attention(queries, states, states, key_padding_mask=~mask)[0] + queries)


class TokenHead(nn.Module):
    """Names the class and the step of the event that a token speaks of: what cross attention will look for."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.classes, self.steps = nn.Linear(width, len(NAMES)), nn.Linear(width, STEPS)

    def loss(self, states: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """labels: [B, L, 2] class and step, -1 where a token belongs to no event."""
        flat = labels.flatten(0, 1)
        kept, chosen = flat[:, 0] >= 0, states.flatten(0, 1)
        return (F.cross_entropy(self.classes(chosen[kept]), flat[kept, 0])
                + F.cross_entropy(self.steps(chosen[kept]), flat[kept, 1]))


def tokenize_marked(tokenizer: PreTrainedTokenizerFast, scenes: list[tuple[str, list[str]]],
                    rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """ids, mask and the labels of TokenHead for one random caption of each scene."""
    marked = [marked_caption(*scene, rng) for scene in scenes]
    batch = tokenizer([text for text, _ in marked], padding="longest", return_tensors="pt", return_offsets_mapping=True)
    labels = torch.full((*batch.input_ids.shape, 2), -1)
    last = batch.offset_mapping[:, :, 1] - 1
    for row, ends, (relation, events), (_, spans) in zip(labels, last, scenes, marked):
        for event, start, end in spans:
            row[(ends >= start) & (ends < end)] = torch.tensor([NAMES.index(events[event]), step_of(relation, event)])
    return batch.input_ids, batch.attention_mask.bool(), labels


def targets(scenes: list[tuple[str, list[str]]]) -> torch.Tensor:
    out = torch.zeros(len(scenes), STEPS, len(NAMES))
    for row, (relation, events) in zip(out, scenes):
        for step, names in enumerate(slots(relation, events)):
            for name in names:
                row[step, NAMES.index(name)] = 1
    return out


def tokenize(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    batch = tokenizer(texts, padding="longest", return_tensors="pt")
    return batch.input_ids, batch.attention_mask.bool()


def train(work: Path, seed: int, minutes: float, batch: int = 48, lr: float = 2e-3, threads: int = 1) -> None:
    """Trains on scenes without held-out pairs; prints the share of held-out scenes whose slots are all right."""
    torch.manual_seed(seed + 2)
    torch.set_num_threads(threads)
    tokenizer = train_tokenizer(work, seed)
    encoder = T5EncoderModel(T5Config(**CONFIG)).to(device())
    head = SlotHead(CONFIG["d_model"]).to(device())
    tokens = TokenHead(CONFIG["d_model"]).to(device())
    parameters = [*encoder.parameters(), *head.parameters(), *tokens.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr, (0.9, 0.98), weight_decay=1e-2, fused=True)
    held_out, parts = held_out_pairs(seed), {"encoder": encoder, "head": head, "tokens": tokens, "o": optimizer}
    used, step = load_state(work / "text_encoder.pt", parts)
    started, saved = core_seconds(), time.time()
    begun, log = used, []
    encoder.train()

    def draw(rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
        scenes = [random_scene(rng, WEIGHTS, held_out) for _ in range(batch)]
        return (*tokenize_marked(tokenizer, scenes, rng), targets(scenes))

    batches = ahead(draw, [seed, os.getpid(), 6])
    while used < minutes * 60:
        ids, mask, labels, wanted = (x.to(device()) for x in next(batches))
        scale = min(1, (step + 1) / 200) * max(0.02, 0.5 * (1 + math.cos(math.pi * used / (minutes * 60))))
        optimizer.param_groups[0]["lr"] = lr * scale
        with mixed_precision():
            states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        states = states.float() + 0.1 * torch.randn_like(states.float())
        loss = F.binary_cross_entropy_with_logits(head(states, mask), wanted) * len(NAMES)
        loss = loss + tokens.loss(states, labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step, used = step + 1, begun + core_seconds() - started
        log.append(loss.detach())
        if step % 200 == 0:
            print(json.dumps({"step": step, "minutes": round(used / 60, 2),
                              "loss": round(torch.stack(log[-200:]).mean().item(), 4)}), flush=True)
        if time.time() - saved > 120:
            saved = time.time()
            save_state(work / "text_encoder.pt", parts, used, step)
    if log:
        save_state(work / "text_encoder.pt", parts, used, step)
    encoder.eval().cpu()
    head.cpu()
    print("text: slots all right on held-out pairs", slot_accuracy(encoder, head, tokenizer, held_out, seed))


@torch.no_grad()
def slot_accuracy(encoder: T5EncoderModel, head: SlotHead, tokenizer: PreTrainedTokenizerFast,
                  held_out: set[frozenset[str]], seed: int, count: int = 1000) -> float:
    rng = np.random.default_rng([seed, 8])
    pairs = sorted(tuple(sorted(p)) for p in held_out)
    scenes = []
    for _ in range(count):
        pair = list(pairs[rng.integers(len(pairs))])
        rng.shuffle(pair)
        scenes.append(("then" if rng.random() < 0.75 else "while", pair))
    ids, mask = tokenize(tokenizer, [caption(*s, rng) for s in scenes])
    states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    right = ((head(states, mask) > 0) == (targets(scenes) > 0)).flatten(1).all(1)
    return right.float().mean().item()


def load_encoder(work: Path) -> T5EncoderModel:
    encoder = T5EncoderModel(T5Config(**CONFIG))
    encoder.load_state_dict(torch.load(work / "text_encoder.pt", map_location="cpu", weights_only=True)["encoder"])
    return encoder.eval().requires_grad_(False)
