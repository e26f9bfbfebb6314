"""How many steps a sampler needs: event accuracy of the default model on held-out captions, by scheduler and steps.

    .venv/bin/python bench/sampler/run.py --work DIR --captions 100

DIR is the work directory of tools/train-default, which holds the judge (classifier.pt). The schedulers are diffusers',
which the studio's are tested against; captions, guidance and judging are those of tools/train-default/evaluate.py, and
every scheduler begins with the same noise. Finished batches stay in DIR/sampler: a run that was ended goes on, and new
weights begin anew. Prints and writes JSON (bench/sampler/results.json) and draws docs/images/sampler-steps.svg.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tools/train-default"))

from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler  # noqa: E402

import evaluate  # noqa: E402
from classifier import Judge  # noqa: E402
from sounds import NAMES  # noqa: E402

SCHEDULERS = {"dpm-solver++": DPMSolverMultistepScheduler, "ddim": DDIMScheduler, "ddpm": DDPMScheduler}
# The quick ones first, so that a run that is ended early has most of the curve.
SAMPLERS = [("dpm-solver++", steps) for steps in (5, 10, 15, 20, 25, 30)] + [("ddim", 50), ("ddpm", 200)]
REFERENCE = ("ddpm", 200)

_pipeline: evaluate.Pipeline


def start(folder: Path) -> None:
    global _pipeline
    torch.set_num_threads(1)
    _pipeline = evaluate.Pipeline(folder)


@torch.no_grad()
def sample(scheduler_name: str, steps: int, prompts: list[str], seed: int) -> torch.Tensor:
    """Waveforms [B, samples]."""
    pipe = _pipeline
    scheduler = SCHEDULERS[scheduler_name].from_config(pipe.scheduler.config)
    scheduler.set_timesteps(steps)
    states, mask = pipe.states(prompts)
    generator = torch.Generator().manual_seed(seed)
    shape = (len(prompts), pipe.unet.config.in_channels, evaluate.FRAMES // 8, 8)
    latents = torch.randn(shape, generator=generator) * scheduler.init_noise_sigma
    for t in scheduler.timesteps:
        out = pipe.unet(torch.cat([latents, latents]), t, states, encoder_attention_mask=mask).sample
        plain, guided = out.chunk(2)
        prediction = plain + evaluate.GUIDANCE * (guided - plain)
        noise = {"generator": generator} if scheduler_name == "ddpm" else {}
        latents = scheduler.step(prediction, t, latents, **noise).prev_sample
    return pipe.wave(pipe.decode(latents))


def finish_batch(job: tuple[str, int, list[str], int, Path]) -> Path:
    scheduler_name, steps, prompts, seed, file = job
    waves = sample(scheduler_name, steps, prompts, seed).numpy().astype(np.float16)
    partial = file.with_suffix(".part.npy")
    np.save(partial, waves)
    partial.rename(file)
    return file


def right(scene: dict, strength: np.ndarray, centre: np.ndarray) -> bool:
    """All events of the caption are the ones heard most, and in their order where it says one."""
    wanted = [NAMES.index(event) for event in scene["events"]]
    heard = set(np.argsort(strength)[::-1][: len(wanted)].tolist()) == set(wanted)
    ordered = scene["relation"] in ("single", "while") or all(
        centre[a] < centre[b] for a, b in zip(wanted, wanted[1:])
    )
    return heard and ordered


def judged(judge: Judge, scenes: list[dict], waves: torch.Tensor) -> dict:
    strength, centre = judge(waves)
    hits = np.array([right(*row) for row in zip(scenes, strength, centre)], dtype=float)
    error = float(np.sqrt(hits.mean() * (1 - hits.mean()) / len(hits)))
    return {
        "accuracy": round(float(hits.mean()), 4),
        "standard_error": round(error, 4),
        "parts": evaluate.score(scenes, (strength, centre)),
    }


def draw(rows: list[dict], file: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams["svg.hashsalt"] = "sampler"
    figure, axes = pyplot.subplots(figsize=(6, 3.4), layout="constrained")
    for name in SCHEDULERS:
        mine = [row for row in rows if row["scheduler"] == name]
        if mine:
            x, y, e = ([row[key] for row in mine] for key in ("steps", "accuracy", "standard_error"))
            axes.errorbar(x, y, yerr=e, marker="o", capsize=3, label=name)
    axes.set(xscale="log", xlabel="steps (UNet passes)", ylabel="captions heard right", ylim=(0, 1))
    axes.set_xticks(sorted({row["steps"] for row in rows}))
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Date": None})


def report(rows: list[dict], captions: int, seed: int) -> dict:
    result = {"captions": captions, "guidance": evaluate.GUIDANCE, "seed": seed, "samplers": rows}
    reference = next((row for row in rows if (row["scheduler"], row["steps"]) == REFERENCE), None)
    if reference:
        for row in rows:
            row["accuracy_less_than_ddpm_200"] = round(reference["accuracy"] - row["accuracy"], 4)
    (REPOSITORY / "bench/sampler/results.json").write_text(json.dumps(result, indent=2) + "\n")
    draw(rows, REPOSITORY / "docs/images/sampler-steps.svg")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="work directory of tools/train-default")
    parser.add_argument("--model", type=Path, default=REPOSITORY / "public/models/default")
    parser.add_argument("--captions", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="the seed that the model was trained with")
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2, help="processes, one a core")
    arguments = parser.parse_args()

    all_scenes = evaluate.held_out_scenes(arguments.seed)
    picks = np.linspace(0, len(all_scenes) - 1, min(arguments.captions, len(all_scenes))).round().astype(int)
    scenes = [all_scenes[i] for i in picks]
    digest = hashlib.sha256(json.dumps([scenes, arguments.seed, arguments.batch]).encode())
    for weights in sorted(arguments.model.rglob("*.safetensors")):
        digest.update(weights.read_bytes())
    folder = arguments.work / "sampler" / digest.hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(scenes), arguments.batch)
    file_of = lambda name, steps, at: folder / f"{name}-{steps}-{at}.npy"  # noqa: E731

    judge, rows = Judge(arguments.work), []
    torch.set_num_threads(1)
    with get_context("spawn").Pool(arguments.workers, start, (arguments.model,)) as pool:
        for name, steps in SAMPLERS:
            jobs = [
                (name, steps, [s["caption"] for s in scenes[at : at + arguments.batch]], arguments.seed * 10000 + at, file)
                for at in starts
                if not (file := file_of(name, steps, at)).exists()
            ]
            for done, _ in enumerate(pool.imap_unordered(finish_batch, jobs), 1):
                print(f"{name} {steps}: {done}/{len(jobs)} batches", file=sys.stderr, flush=True)
            waves = np.concatenate([np.load(file_of(name, steps, at)) for at in starts]).astype(np.float32)
            rows.append({"scheduler": name, "steps": steps, **judged(judge, scenes, torch.from_numpy(waves))})
            result = report(rows, len(scenes), arguments.seed)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
