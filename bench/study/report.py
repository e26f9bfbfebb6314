"""What the study found: called by run.mjs, or alone once its other stages are done.

    python bench/study/report.py --out DIR --work WORK --clap default-clap-2

DIR is run.mjs's; WORK has classifier.pt of tools/train-default, the judge that chose no pair and trained no CLAP. Writes
DIR/report.json and the pictures in docs/images, and prints the tables of docs/results.md.

Intervals are percentiles of 10,000 bootstrap resamples of the captions, both seeds of a caption together, variant and
base paired: 95 % of the resamples' differences lie within.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import soundfile
import torch

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tools/train-default"))

from classifier import Judge  # noqa: E402
from sounds import NAMES  # noqa: E402

RESAMPLES = 10_000


def heard(judge: Judge, paths: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Strength and centre of every class in each sound, as the judge hears them."""
    parts = []
    for at in range(0, len(paths), 64):
        waves = [soundfile.read(path, dtype="float32")[0] for path in paths[at : at + 64]]
        parts.append(judge(torch.from_numpy(np.stack(waves))))
    return tuple(np.concatenate([part[i] for part in parts]) for i in range(2))


def in_order(scene: dict, centre: np.ndarray) -> bool:
    wanted = [NAMES.index(event) for event in scene["events"]]
    return all(centre[a] < centre[b] for a, b in zip(wanted, wanted[1:]))


def has_events(scene: dict, strength: np.ndarray) -> bool:
    """The events of the caption are the ones heard most."""
    wanted = {NAMES.index(event) for event in scene["events"]}
    return set(np.argsort(strength)[::-1][: len(wanted)].tolist()) == wanted


def is_right(scene: dict, strength: np.ndarray, centre: np.ndarray) -> bool:
    tells_order = scene["relation"] in ("then", "three")
    return has_events(scene, strength) and (not tells_order or in_order(scene, centre))


def interval(differences: np.ndarray, rng: np.random.Generator) -> list[float]:
    """Of the mean over captions; NaN where a caption does not count. @param differences [captions]"""
    known = differences[~np.isnan(differences)]
    means = known[rng.integers(0, len(known), (RESAMPLES, len(known)))].mean(1)
    return [float(x) for x in np.percentile(means, [2.5, 97.5])]


def measured(out: Path, judge: Judge, clap: str, split: str) -> dict:
    """Every figure of every variant, and each variant beside the base."""
    captions = json.loads((REPOSITORY / "bench/study/captions.json").read_text())
    recipes = json.loads((REPOSITORY / "bench/study/recipes.json").read_text())
    scores = json.loads((out / split / "clap.json").read_text())
    chooses = split == "development"
    held_out = captions["training"][recipes["dataset"]["captions"] :] if chooses else captions["heldOut"]
    variants = ["base", *(run["name"] for run in recipes["runs"] + (recipes["tried"] if chooses else []))]
    seeds = recipes["seeds"][:1] if chooses else recipes["seeds"]
    ordered = np.array([scene["relation"] in ("then", "three") for scene in held_out])
    figures: dict[str, dict[str, np.ndarray]] = {}
    for variant in variants:
        keys = [f"{variant}/{i}-{seed}" for i in range(len(held_out)) for seed in seeds]
        strength, centre = heard(judge, [out / split / f"{key}.wav" for key in keys])
        scenes = [scene for scene in held_out for _ in seeds]
        events = np.array([has_events(*row) for row in zip(scenes, strength)], dtype=float)
        right = np.array([is_right(*row) for row in zip(scenes, strength, centre)], dtype=float)
        by_caption = lambda values: np.asarray(values, dtype=float).reshape(len(held_out), len(seeds)).mean(1)  # noqa: E731
        figures[variant] = {
            "clap": by_caption([scores[key][clap] for key in keys]),
            "clap_of_selection": by_caption([scores[key][recipes["selection"]["rankingModelId"]] for key in keys]),
            "events": by_caption(events),
            "order": np.where(ordered, by_caption(right), np.nan),
            "all_right": by_caption(right),
        }
    rng = np.random.default_rng(0)
    return {
        "captions": len(held_out),
        "captions_with_order": int(ordered.sum()),
        "seeds": len(seeds),
        "variants": {
            variant: {
                name: {"mean": float(np.nanmean(values))}
                | ({} if variant == "base" else {
                    "difference": float(np.nanmean(values - figures["base"][name])),
                    "interval": interval(values - figures["base"][name], rng),
                })
                for name, values in mine.items()
            }
            for variant, mine in figures.items()
        },
    }  # fmt: skip


def of_dataset(out: Path, judge: Judge) -> dict:
    """How often the judge's winner is CLAP's, and what the best of four by CLAP is worth."""
    captions = json.loads((REPOSITORY / "bench/study/captions.json").read_text())["training"]
    scenes = {scene["caption"]: scene for scene in captions}
    described = json.loads((out / "pairs.json").read_text())
    stored = json.loads((out / "groups.json").read_text())
    groups, models = stored["groups"], [model["id"] for model in stored["clapModels"]]
    clips = sorted({one["clipId"] for group in groups for one in group["candidates"]})
    strength, centre = heard(judge, [out / "candidates" / f"{clip}.wav" for clip in clips])
    place = {clip: i for i, clip in enumerate(clips)}

    def right(prompt: str, clip: str) -> bool:
        return is_right(scenes[prompt], strength[place[clip]], centre[place[clip]])

    agreement: dict[str, dict] = {}
    for name in ("pool", "accepted"):
        rows: dict[str, list[bool]] = {}
        for pair in described[name]:
            a, b = (right(pair["prompt"], pair[side]["clipId"]) for side in ("winner", "loser"))
            if a != b:
                rows.setdefault(pair["strategy"], []).append(a)
                rows.setdefault("all", []).append(a)
        pairs = {s: sum(p["strategy"] == s for p in described[name]) for s in {p["strategy"] for p in described[name]}}
        pairs["all"] = len(described[name])
        agreement[name] = {
            strategy: {"pairs": pairs[strategy], "decided": len(hits), "same_winner": float(np.mean(hits))}
            for strategy, hits in sorted(rows.items())
        }
    best_of = {}
    fours = [group for group in groups if group["strategy"] == "1.2"]
    hits = np.array([[right(group["prompt"], one["clipId"]) for one in group["candidates"]] for group in fours], dtype=float)
    rng = np.random.default_rng(1)
    for model in models:
        best = [int(np.argmax([one["scores"][model] for one in group["candidates"]])) for group in fours]
        gain = hits[np.arange(len(hits)), best] - hits.mean(1)
        best_of[model] = {
            "captions": len(fours), "any_of_four": float(hits.mean()), "best_of_four": float(hits.mean() + gain.mean()),
            "difference": float(gain.mean()), "interval": interval(gain, rng),
        }  # fmt: skip
    keep = ("unformed", "rejected", "tables", "health")
    return {"agreement": agreement, "best_of_four": best_of, "clips": len(clips)} | {key: described[key] for key in keep}


def draw(out: Path, report: dict, folder: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams["svg.hashsalt"] = "study"
    save = lambda figure, name: figure.savefig(folder / name, metadata={"Date": None})  # noqa: E731

    names = {"clap": "CLAP that chose no pair", "events": "events", "order": "events in order"}
    others = [variant for variant in report["held_out"]["variants"] if variant != "base"]
    figure, axes = pyplot.subplots(1, len(names), figsize=(8, 2.6), layout="constrained")
    for axis, (key, title) in zip(axes, names.items()):
        rows = [report["held_out"]["variants"][variant][key] for variant in others]
        for i, row in enumerate(rows):
            low, high = row["interval"]
            axis.plot([i, i], [low, high], color="#888", lw=2)
            axis.plot(i, row["difference"], "o", color="#2563a8")
        axis.axhline(0, color="#444", lw=0.8)
        axis.set(title=title, xlim=(-0.6, len(others) - 0.4))
        axis.set_xticks(range(len(others)), [variant.upper() for variant in others])
    axes[0].set_ylabel("less the base model")
    save(figure, "study-held-out.svg")

    stored = json.loads((out / "pairs.json").read_text())
    model = next(iter(stored["pool"][0]["deltas"]))
    figure, axis = pyplot.subplots(figsize=(6, 2.8), layout="constrained")
    bins = np.linspace(0, max(pair["deltas"][model] for pair in stored["pool"]), 40)
    strategies = sorted({pair["strategy"] for pair in stored["pool"]})
    axis.hist([[p["deltas"][model] for p in stored["pool"] if p["strategy"] == s] for s in strategies], bins,
              stacked=True, label=[f"strategy {s}" for s in strategies])  # fmt: skip
    axis.set(xlabel=f"CLAP of the winner less CLAP of the loser ({model})", ylabel="pairs of the pool")
    axis.legend()
    save(figure, "study-deltas.svg")

    figure, axes = pyplot.subplots(1, 3, figsize=(9, 2.6), layout="constrained")
    for file in sorted(out.glob("run-*.json")):
        history = json.loads(file.read_text())["history"]
        steps = history["metrics"]
        for axis, key in zip(axes, ("loss", "margin", "implicitAccuracy")):
            points = [(m["step"], m[key]) for m in steps if m.get("phase") == "dpo" and m.get(key) is not None]
            if points:
                axis.plot(*zip(*points), label=file.stem.removeprefix("run-"), lw=1)
    for axis, title in zip(axes, ("DPO loss", "reward margin", "implicit accuracy")):
        axis.set(title=title, xlabel="step")
        axis.legend()
    save(figure, "study-training.svg")


def table(figures: dict) -> str:
    """One line a variant: each figure, and its difference from the base with the interval."""
    keys = ("clap", "clap_of_selection", "events", "order", "all_right")
    lines = ["| | " + " | ".join(keys) + " |", "| --- " * (1 + len(keys)) + "|"]
    for variant, mine in figures["variants"].items():
        cells = [f"{mine[key]['mean']:.4f}" + (
            f" ({mine[key]['difference']:+.4f}; {mine[key]['interval'][0]:+.4f} to {mine[key]['interval'][1]:+.4f})"
            if "interval" in mine[key] else "") for key in keys]  # fmt: skip
        lines.append(f"| {variant} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--clap", required=True, help="the CLAP that chose no pair")
    parser.add_argument("--split", choices=("held-out", "development"), default="held-out")
    arguments = parser.parse_args()
    judge = Judge(arguments.work)
    figures = measured(arguments.out, judge, arguments.clap, arguments.split)
    if arguments.split == "development":
        (arguments.out / "development.json").write_text(json.dumps(figures, indent=2) + "\n")
        print(table(figures))
        return
    report = {"dataset": of_dataset(arguments.out, judge), "held_out": figures}
    (arguments.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    draw(arguments.out, report, REPOSITORY / "docs/images")
    print(table(figures))
    print(json.dumps(report["dataset"], indent=2))


if __name__ == "__main__":
    main()
