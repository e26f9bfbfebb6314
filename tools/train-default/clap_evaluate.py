"""Figures of a CLAP on held-out pairs: two classes that no training scene or wrong caption has together, from test
sources. Nothing is tuned on them.

R@k: the right caption among 50 (text of a sound), and the right sound among 50 (sound of a text); groups of 50 scenes,
each scene once in a group. Order: how often a sound fits its caption better than the caption of the same wording with
the events swapped; other event: than the caption with one event that is not heard.
"""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from transformers import ClapFeatureExtractor, ClapModel, PreTrainedTokenizerFast

from captions import caption, held_out_pairs
from clap_data import Scene, key
from render import Bank, mix
from sounds import NAMES

GROUPS, GROUP = 6, 50
SECONDS = 5.12


class Clap:
    """An exported folder, as transformers reads it."""

    def __init__(self, folder: Path) -> None:
        self.model = ClapModel.from_pretrained(folder).float().eval()
        self.extractor = ClapFeatureExtractor.from_pretrained(folder)
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)

    @torch.no_grad()
    def sounds(self, waves: np.ndarray) -> torch.Tensor:
        """[B, N] at 16 kHz -> [B, D] of length 1."""
        quantised = np.trunc(np.clip(waves, -1, 1) * 32767) / 32767
        rate = self.extractor.sampling_rate
        parts = [self.extractor(list(quantised[i:i + 32]), sampling_rate=rate, return_tensors="pt").input_features
                 for i in range(0, len(quantised), 32)]
        return torch.cat([self.model.get_audio_features(input_features=p.float()).pooler_output for p in parts])

    @torch.no_grad()
    def texts(self, captions: list[str]) -> torch.Tensor:
        """[B, D] of length 1."""
        batch = self.tokenizer(captions, padding=True, truncation=True, return_tensors="pt")
        return self.model.get_text_features(input_ids=batch.input_ids, attention_mask=batch.attention_mask).pooler_output


def scenes_of(seed: int) -> list[list[Scene]]:
    """Groups of scenes that differ in what is heard; seven in ten ordered, the others together."""
    rng = np.random.default_rng([seed, 31])
    pairs = sorted(tuple(sorted(p)) for p in held_out_pairs(seed))
    groups = []
    for _ in range(GROUPS):
        group: dict[tuple, Scene] = {}
        while len(group) < GROUP:
            pair = list(pairs[rng.integers(len(pairs))])
            rng.shuffle(pair)
            scene = ("then" if len(group) < 0.7 * GROUP else "while", pair)
            group.setdefault(key(scene), scene)
        groups.append(list(group.values()))
    return groups


def same_wording(scene: Scene, other: Scene, rng: np.random.Generator) -> tuple[str, str]:
    state = rng.bit_generator.state
    right = caption(*scene, rng)
    rng.bit_generator.state = state
    return right, caption(*other, rng)


def ranks(scores: torch.Tensor) -> np.ndarray:
    """For each row the rank of its diagonal entry, 0 for the best."""
    return (scores > scores.diagonal()[:, None]).sum(1).numpy()


def evaluate(folder: Path, clips: Path, seed: int = 0) -> dict:
    """Writes metrics.json into the folder."""
    torch.set_num_threads(1)
    clap, bank = Clap(folder), Bank(clips, test=True)
    rng = np.random.default_rng([seed, 32])
    held_out = held_out_pairs(seed)
    text_rank, sound_rank, order, event = [], [], [], []
    for group in scenes_of(seed):
        waves = np.stack([mix(*scene, SECONDS, bank, rng)[0] for scene in group])
        heard, captions, swapped, changed = clap.sounds(waves), [], [], []
        for relation, events in group:
            right, wrong = same_wording((relation, events), (relation, events[::-1]), rng)
            captions.append(right)
            swapped.append(wrong)
            while True:
                other = [events[0], NAMES[rng.integers(len(NAMES))]]
                if other[1] not in events and frozenset(other) not in held_out:
                    break
            changed.append(caption(relation, other, rng))
        words = clap.texts(captions)
        scores = heard @ words.t()
        text_rank.append(ranks(scores))
        sound_rank.append(ranks(scores.t()))
        right_score = scores.diagonal()
        ordered = torch.tensor([relation == "then" for relation, _ in group])
        order.append((right_score > (heard * clap.texts(swapped)).sum(1))[ordered].numpy())
        event.append((right_score > (heard * clap.texts(changed)).sum(1)).numpy())
    of_sound, of_text = np.concatenate(text_rank), np.concatenate(sound_rank)
    share = lambda hits: round(float(np.mean(hits)), 4)  # noqa: E731
    metrics = {
        "scenes": len(of_sound), "among": GROUP, "seed": seed,
        "caption_of_a_sound": {"R@1": share(of_sound < 1), "R@10": share(of_sound < 10)},
        "sound_of_a_caption": {"R@1": share(of_text < 1), "R@10": share(of_text < 10)},
        "prefers_right_order": share(np.concatenate(order)), "ordered_scenes": int(sum(len(o) for o in order)),
        "prefers_right_event": share(np.concatenate(event)),
    }
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    print(json.dumps(metrics), flush=True)
    return metrics
