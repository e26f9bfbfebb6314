"""Stage `evaluate`: the exported f16 folder, loaded with from_pretrained, judged by the independent classifier.

Held-out captions: every pair in them (in any relation) was never trained on; ground truth uses test sources. The
scores of a scene: single = the class that is loudest in the judge's mean; ordered = both events among the two best
and the centre of the first before that of the second; together = both among the two best. Nothing is tuned on them.
"""
from __future__ import annotations

import hashlib
import json
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, UNet2DConditionModel
from transformers import PreTrainedTokenizerFast, SpeechT5HifiGan, T5EncoderModel

from captions import caption, held_out_pairs, uses_held_out
from classifier import Judge
from harmonics import harmonic_figures
from mel import HOP, log_mel
from render import Bank, mix
from sounds import BY_NAME, NAMES

STEPS, GUIDANCE, FRAMES = 25, 3.0, 512
COUNTS = {"then": 104, "while": 24, "three": 16}
SINGLES_EACH = 2


class Pipeline:
    """Prompt to waveform with the released components, as the app does it."""

    def __init__(self, folder: Path) -> None:
        path = str(folder)
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(path, subfolder="tokenizer")
        self.encoder = T5EncoderModel.from_pretrained(path, subfolder="text_encoder").float().eval()
        self.unet = UNet2DConditionModel.from_pretrained(path, subfolder="unet").float().eval()
        self.unet.to(memory_format=torch.channels_last)
        self.scheduler = DPMSolverMultistepScheduler.from_pretrained(path, subfolder="scheduler")
        self.vae = AutoencoderKL.from_pretrained(path, subfolder="vae").float().eval()
        self.vae.to(memory_format=torch.channels_last)
        self.vocoder = SpeechT5HifiGan.from_pretrained(path, subfolder="vocoder").float().eval()

    def states(self, prompts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Unconditional first: the empty string padded to the prompts' length, with its own mask."""
        batch = self.tokenizer(prompts, padding="longest", return_tensors="pt")
        length = batch.input_ids.shape[1]
        empty = self.tokenizer([""] * len(prompts), padding="max_length", max_length=length, return_tensors="pt")
        ids = torch.cat([empty.input_ids, batch.input_ids])
        mask = torch.cat([empty.attention_mask, batch.attention_mask]).bool()
        return self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state, mask

    @torch.no_grad()
    def latents(self, prompts: list[str], seed: int, frames: int = FRAMES) -> torch.Tensor:
        states, mask = self.states(prompts)
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn((len(prompts), self.unet.config.in_channels, frames // 8, 8), generator=generator)
        self.scheduler.set_timesteps(STEPS)
        for t in self.scheduler.timesteps:
            out = self.unet(torch.cat([x, x]), t, states, encoder_attention_mask=mask).sample
            plain, guided = out.chunk(2)
            x = self.scheduler.step(plain + GUIDANCE * (guided - plain), t, x).prev_sample
        return x

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Log-mel [B, T, 64]."""
        return self.vae.decode(latents / self.vae.config.scaling_factor).sample.squeeze(1)

    @torch.no_grad()
    def through_vae(self, mel: torch.Tensor) -> torch.Tensor:
        return self.vae.decode(self.vae.encode(mel.unsqueeze(1)).latent_dist.mode()).sample.squeeze(1)

    @torch.no_grad()
    def wave(self, mel: torch.Tensor) -> torch.Tensor:
        return self.vocoder(mel)[:, :mel.shape[1] * HOP]


def held_out_scenes(seed: int) -> list[dict]:
    """Captions with their events in the order heard; the same for everyone who measures."""
    rng = np.random.default_rng([seed, 2024])
    held_out = held_out_pairs(seed)
    pairs = sorted(tuple(sorted(p)) for p in held_out)
    scenes = [("single", [name]) for name in NAMES for _ in range(SINGLES_EACH)]
    for relation in ("then", "while"):
        for k in range(COUNTS[relation]):
            pair = list(pairs[rng.permutation(len(pairs))[0]])
            scenes.append((relation, pair[::-1] if k % 2 else pair))
    while sum(s[0] == "three" for s in scenes) < COUNTS["three"]:
        events = [NAMES[i] for i in rng.choice(len(NAMES), 3, replace=False)]
        if uses_held_out(events, held_out):
            scenes.append(("three", events))
    return [{"relation": r, "events": e, "caption": caption(r, e, rng)} for r, e in scenes]


def score(scenes: list[dict], judged: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    hits: dict[str, list[float]] = {}

    def add(key: str, value: bool) -> None:
        hits.setdefault(key, []).append(float(value))

    for scene, strength, centre in zip(scenes, *judged):
        wanted = [NAMES.index(e) for e in scene["events"]]
        best = set(np.argsort(strength)[::-1][:len(wanted)].tolist())
        both = best == set(wanted)
        rising = all(centre[a] < centre[b] for a, b in zip(wanted, wanted[1:]))
        if scene["relation"] == "single":
            add("single_top1", both)
        elif scene["relation"] == "then":
            add("ordered_both", both)
            add("ordered_right", both and rising)
            add("ordered_swapped", both and not rising)
        elif scene["relation"] == "while":
            add("together_both", both)
        else:
            add("three_all", both)
            add("three_right", both and rising)
    return {key: round(float(np.mean(v)), 4) for key, v in hits.items()}


def ground_truth(work: Path, scenes: list[dict], seed: int) -> torch.Tensor:
    bank, rng = Bank(work, test=True), np.random.default_rng([seed, 2025])
    return torch.from_numpy(np.stack([mix(s["relation"], s["events"], FRAMES * HOP / 16000, bank, rng)[0]
                                      for s in scenes]))


_pipeline: Pipeline


def _start(folder: Path) -> None:
    global _pipeline
    torch.set_num_threads(1)
    _pipeline = Pipeline(folder)


def _mels(job: tuple[list[str], int, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Generated log-mels of some prompts, and the ground truth's mels through the VAE."""
    prompts, seed, mels = job
    made = _pipeline.decode(_pipeline.latents(prompts, seed))
    return made.numpy(), _pipeline.through_vae(torch.from_numpy(mels)).numpy()


def _waves(mels: np.ndarray) -> np.ndarray:
    return _pipeline.wave(torch.from_numpy(mels)).numpy()


def mels_of_all(work: Path, folder: Path, scenes: list[dict], mels: np.ndarray, seed: int, pool: Pool,
                batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Generated and reconstructed log-mels; kept in the work directory under the hash of the weights that made them."""
    digest = hashlib.sha256(json.dumps(scenes).encode())
    for part in ("text_encoder/model", "unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model"):
        digest.update((folder / f"{part}.safetensors").read_bytes())
    cache = work / f"evaluated-{digest.hexdigest()[:12]}.npz"
    if not cache.exists():
        jobs = [([s["caption"] for s in scenes[k:k + batch]], seed * 10000 + k, mels[k:k + batch])
                for k in range(0, len(scenes), batch)]
        made, through = [], []
        for k, (a, b) in enumerate(pool.imap(_mels, jobs)):
            made.append(a)
            through.append(b)
            print(f"evaluate: {k + 1}/{len(jobs)} batches", flush=True)
        np.savez(cache, made=np.concatenate(made), through=np.concatenate(through))
    stored = np.load(cache)
    return stored["made"], stored["through"]


def evaluate(work: Path, folder: Path, seed: int, workers: int = 2, limit: int = 0, batch: int = 12) -> dict:
    """Writes metrics.json beside the weights, and generated.npy in the work directory for the card's pictures."""
    torch.set_num_threads(1)
    scenes = held_out_scenes(seed)
    if limit:
        scenes = scenes[::max(1, len(scenes) // limit)]
    truth = ground_truth(work, scenes, seed)
    mels = log_mel(truth).numpy()
    with get_context("spawn").Pool(workers, _start, (folder,)) as pool:
        made, through = mels_of_all(work, folder, scenes, mels, seed, pool, batch)
        waves = {"ground truth": truth}
        for name, mel in (("ground truth -> vocoder", mels), ("ground truth -> VAE -> vocoder", through),
                          ("generated audio", made)):
            parts = pool.imap(_waves, np.array_split(mel, max(1, len(mel) // batch)))
            waves[name] = torch.from_numpy(np.concatenate(list(parts)))
    judge = Judge(work)
    table = {name: score(scenes, judge(wave)) for name, wave in waves.items()}
    np.save(work / "generated.npy", waves["generated audio"].numpy().astype(np.float16))
    ceiling, codec = table["ground truth"], table["ground truth -> VAE -> vocoder"]
    pitched = [i for i, s in enumerate(scenes) if s["relation"] == "single" and BY_NAME[s["events"][0]].pitched]
    metrics = {
        "captions": len(scenes), "steps": STEPS, "guidance": GUIDANCE, "seed": seed, "table": table,
        "codec_share_of_ground_truth": {k: round(codec[k] / max(ceiling[k], 1e-9), 4) for k in ("single_top1", "ordered_right")},
        "log_mel_l1": {"VAE": round(float(np.abs(through - mels).mean()), 4),
                       "vocoder": round(float(np.abs(log_mel(waves["ground truth -> vocoder"]).numpy() - mels).mean()), 4)},
        "harmonics": harmonic_figures(truth[pitched].numpy(), waves["ground truth -> VAE -> vocoder"][pitched].numpy(),
                                      [scenes[i]["events"][0] for i in pitched])}
    missed: dict[str, list[str]] = {}
    strength, _ = judge(waves["generated audio"])
    for s, row in zip(scenes, strength):
        if s["relation"] == "single" and NAMES[row.argmax()] != s["events"][0]:
            missed.setdefault(s["events"][0], []).append(NAMES[row.argmax()])
    metrics["single_confusions"] = missed
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    print(json.dumps(metrics, indent=1))
    return metrics
