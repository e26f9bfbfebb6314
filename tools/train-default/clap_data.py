"""What the CLAPs learn from: features of the rendered clips as transformers' ClapFeatureExtractor makes them, captions
of their scenes, and captions that are nearly right.

The extractor runs at 16 kHz with 40 ms between frames and pads with silence: repeating a short clip, as LAION's does
to fill ten seconds, would make "A then B" sound as "B then A" too.
"""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import ClapFeatureExtractor, PreTrainedTokenizerFast

from captions import caption, marked_caption, random_scene, slots, step_of, uses_held_out
from sounds import NAMES
from training import device

RATE, HOP, FFT, MELS, SECONDS = 16000, 640, 1024, 64, 10
FRAMES = RATE * SECONDS // HOP + 1
SILENCE = -100.0
EXTRACTOR = dict(feature_size=MELS, sampling_rate=RATE, hop_length=HOP, max_length_s=SECONDS, fft_window_size=FFT,
                 frequency_min=50, frequency_max=8000, truncation="rand_trunc", padding="pad")
CLIPS = ("clips-128", "clips-256", "clips-512", "clips-1024")
BOS, PAD, EOS, UNK, MASK = "<s>", "<pad>", "</s>", "<unk>", "<mask>"
VOCABULARY = 1024
WEIGHTS = (0.2, 0.4, 0.15, 0.15, 0.1)
STEPS = 3
Scene = tuple[str, list[str]]


def log_mel(waves: torch.Tensor) -> torch.Tensor:
    """[B, N] in [-1, 1] -> [B, frames that are not all silence, 64] in dB."""
    filters = torch.from_numpy(ClapFeatureExtractor(**EXTRACTOR).mel_filters_slaney).to(waves)
    waves = waves[:, :RATE * SECONDS]
    frames = min(FRAMES, (waves.shape[1] + FFT // 2) // HOP + 1)
    padded = F.pad(waves, (0, min(FFT, RATE * SECONDS - waves.shape[1])))
    spectrum = torch.stft(padded, FFT, HOP, FFT, torch.hann_window(FFT, device=waves.device), pad_mode="reflect", return_complex=True)
    spectrum = spectrum[:, :, :frames]
    power = (spectrum.real.square() + spectrum.imag.square()).transpose(1, 2) @ filters
    return 10 * torch.log10(power.clamp(min=1e-10))


def build_features(clips: Path, work: Path) -> None:
    """features-<frames>.npy, float16, beside nothing else: the scenes stay with the clips."""
    for name in CLIPS:
        path = work / f"{name.replace('clips', 'features')}.npy"
        if path.exists():
            continue
        pcm = np.load(clips / f"{name}.npy", mmap_mode="r")
        parts = [log_mel(torch.from_numpy(pcm[i:i + 16].astype(np.float32) / 32767).to(device())).half().cpu().numpy()
                 for i in range(0, len(pcm), 16)]
        np.save(path.with_suffix(".tmp.npy"), np.concatenate(parts))
        path.with_suffix(".tmp.npy").rename(path)
        print(f"features: {name}", flush=True)


class Features:
    """All clips with their scenes; memory-mapped, or on the GPU."""

    def __init__(self, clips: Path, work: Path) -> None:
        paths = [work / f"{name.replace('clips', 'features')}.npy" for name in CLIPS]
        self.mels = [torch.from_numpy(np.load(path, mmap_mode="c")).to(device()) for path in paths]
        self.rows = [row for name in CLIPS for row in json.loads((clips / f"{name}.json").read_text())]
        self.where = np.array([(k, i) for k, mels in enumerate(self.mels) for i in range(len(mels))])

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, picks: np.ndarray) -> torch.Tensor:
        """[B, 251, 64] dB; what a clip is shorter than ten seconds is silent."""
        out = torch.full((len(picks), FRAMES, MELS), SILENCE, device=device())
        for k, mels in enumerate(self.mels):
            rows = np.flatnonzero(self.where[picks, 0] == k)
            frames = min(FRAMES, mels.shape[1])
            own = torch.from_numpy(self.where[picks[rows], 1]).to(device())
            out[torch.from_numpy(rows).to(device()), :frames] = mels[own, :frames].float()
        return out


def augment(mel: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Level, a smooth spectral curve, a noise floor, blur and masks: what a codec or a vocoder may do to a sound."""
    n = len(mel)
    heard = mel > SILENCE + 1
    curve = torch.from_numpy(rng.normal(0, 1.5, (n, 1, 6))).to(mel)
    level = torch.from_numpy(rng.uniform(-12, 6, (n, 1, 1))).to(mel)
    changed = mel + level + F.interpolate(curve, size=MELS, mode="linear", align_corners=True)
    changed = changed + torch.from_numpy(rng.uniform(0, 2.5, (n, 1, 1))).to(mel) * torch.randn_like(mel)
    blurred = F.avg_pool2d(changed.unsqueeze(1), 3, 1, 1).squeeze(1)
    share = torch.from_numpy(rng.uniform(0, 0.7, (n, 1, 1))).to(mel)
    changed = torch.lerp(changed, blurred, share)
    floor = torch.from_numpy(rng.uniform(-75, -35, (n, 1, 1))).to(mel)
    changed = torch.where(heard, torch.maximum(changed, floor + torch.randn_like(mel)), mel)
    first, width = rng.integers(0, 56, n), rng.integers(2, 9, n) * (rng.random(n) < 0.3)
    bins = np.arange(MELS)
    muted = torch.from_numpy((bins >= first[:, None]) & (bins < (first + width)[:, None])).to(mel.device)
    changed = changed.masked_fill(muted.unsqueeze(1), -60)
    return changed.clamp(min=SILENCE)


def frame_targets(rows: list[dict], bins: int) -> torch.Tensor:
    """[B, bins, steps, classes]: which classes sound in which part of the ten seconds, and as which step of the scene."""
    out = torch.zeros(len(rows), bins, STEPS, len(NAMES))
    for target, row in zip(out, rows):
        for event, (name, start, end) in enumerate(row["spans"]):
            a, b = (int(round(x * bins / SECONDS)) for x in (start, end))
            target[a:max(a + 1, b), step_of(row["relation"], event), NAMES.index(name)] = 1
    return out


def key(scene: Scene) -> tuple[tuple[str, ...], ...]:
    """What is heard, whatever the wording: two captions of one key are both right."""
    return tuple(tuple(sorted(step)) for step in slots(*scene))


def slot_targets(scenes: list[Scene]) -> torch.Tensor:
    """[B, steps, classes]."""
    out = torch.zeros(len(scenes), STEPS, len(NAMES))
    for target, scene in zip(out, scenes):
        for step, names in enumerate(slots(*scene)):
            for name in names:
                target[step, NAMES.index(name)] = 1
    return out


def other_order(scene: Scene, rng: np.random.Generator) -> Scene:
    """The same events in another order or relation."""
    relation, events = scene
    if relation == "then":
        return relation, events[::-1]
    if relation == "while":
        return "then", [events[i] for i in rng.permutation(2)]
    while True:
        shuffled = relation, [events[i] for i in rng.permutation(3)]
        if key(shuffled) != key(scene):
            return shuffled


def other_event(scene: Scene, rng: np.random.Generator, held_out: set[frozenset[str]]) -> Scene:
    """The same relation with one event that is not heard."""
    relation, events = scene
    while True:
        changed = list(events)
        changed[rng.integers(len(events))] = NAMES[rng.integers(len(NAMES))]
        if len(set(changed)) == len(changed) and changed != events and not uses_held_out(changed, held_out):
            return relation, changed


def near_misses(scene: Scene, rng: np.random.Generator, held_out: set[frozenset[str]]) -> list[Scene]:
    """Two scenes a listener would not take for this one, though their captions share its words."""
    if scene[0] != "single":
        return [other_order(scene, rng), other_event(scene, rng, held_out)]
    longer = other_event(("then", [scene[1][0], scene[1][0]]), rng, held_out)
    return [longer, other_event(scene, rng, held_out)]


def train_tokenizer(path: Path, seed: int) -> PreTrainedTokenizerFast:
    """RoBERTa's form: byte-level BPE, <s> ... </s>, with the ids that RoBERTa gives them."""
    if not path.exists():
        rng = np.random.default_rng([seed, 15])
        texts = (caption(*random_scene(rng, WEIGHTS, set()), rng) for _ in range(20000))
        tokenizer = Tokenizer(models.BPE(unk_token=UNK))
        tokenizer.normalizer = normalizers.Lowercase()
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=[BOS, PAD, EOS, UNK, MASK],
                                      show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
        tokenizer.train_from_iterator(texts, trainer)
        tokenizer.post_processor = processors.TemplateProcessing(f"{BOS} $A {EOS}", f"{BOS} $A {EOS} {EOS} $B {EOS}",
                                                                 special_tokens=[(BOS, 0), (EOS, 2)])
        tokenizer.save(str(path))
    return PreTrainedTokenizerFast(tokenizer_file=str(path), bos_token=BOS, pad_token=PAD, eos_token=EOS,
                                   unk_token=UNK, mask_token=MASK, cls_token=BOS, sep_token=EOS, model_max_length=126)


def tokenize(tokenizer: PreTrainedTokenizerFast, scenes: list[Scene],
             rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Captions of scenes: ids, mask, and for each token class and step of its event (-1 for none) [B, L, 2]."""
    marked = [marked_caption(*scene, rng) for scene in scenes]
    batch = tokenizer([text for text, _ in marked], padding=True, truncation=True, max_length=64, return_tensors="pt",
                      return_offsets_mapping=True)
    labels = np.full((*batch.input_ids.shape, 2), -1, np.int64)
    for row, offsets, (_, spans), (relation, events) in zip(labels, batch.offset_mapping.numpy(), marked, scenes):
        for event, start, end in spans:
            inside = (offsets[:, 1] > start) & (offsets[:, 0] < end) & (offsets[:, 1] > offsets[:, 0])
            row[inside] = NAMES.index(events[event]), step_of(relation, event)
    return batch.input_ids, batch.attention_mask, torch.from_numpy(labels)
