"""A trained CLAP as a transformers folder in f16, with its files.json, model card and figures."""
from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from transformers import ClapFeatureExtractor

import clap
from clap_data import EXTRACTOR, train_tokenizer
from sounds import NAMES

RUN_TIME = ("config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json",
            "README.md")
CARD = """---
license: apache-2.0
library_name: transformers
pipeline_tag: feature-extraction
---

# {title}

A small CLAP: it says how well a sound fits a caption, for the {classes} everyday sounds of the studio's default model.
Class `ClapModel` of transformers (HTSAT and RoBERTa), {parameters:.2f} M parameters, float16; sounds at 16 kHz.

## What it was trained on
Clips rendered by `tools/train-default` (their sources and licences are in the default model's LICENSES.md) and
captions from its templates; no pretrained weights. Contrastive, each sound with two wrong captions of its own: the same
events in another order, and one event that is not heard. Pairs of classes that are held out never occur in training.
Of the two CLAPs that ship, sizes, patches, tokenizers, seeds and the order of the data differ.

## Figures on held-out pairs
{scenes} scenes of two sounds ({ordered} of them one after the other), test sources, captions among {among}:

| | R@1 | R@10 |
| --- | --- | --- |
| caption of a sound | {caption[R@1]:.3f} | {caption[R@10]:.3f} |
| sound of a caption | {sound[R@1]:.3f} | {sound[R@10]:.3f} |

It prefers the right order to the swapped caption in {order:.3f} of the ordered scenes (chance: 0.5), and the right
events to a caption with another one in {event:.3f} of all.{below}

## Limits
It knows these sounds and these sentences only; scores of two CLAPs are not on one scale, and not on LAION's. Sounds of
more than ten seconds are cropped, shorter ones end in silence.

## Make it again
```
python tools/train-default/train.py bank && python tools/train-default/train.py render
python tools/train-default/train_clap.py {name}
```
Trained for {minutes:.1f} {unit}, seed {seed}.
"""


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")


def export(name: str, work: Path, out: Path) -> Path:
    """Weights, configs and tokenizer; a weight that overflows f16 is an error."""
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    model = clap.load(name, work).half()
    for key, value in model.state_dict().items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise OverflowError(f"{key} does not fit f16")
    model.save_pretrained(folder)
    # An integer length is what the extractor's own arithmetic needs.
    extractor = ClapFeatureExtractor(**EXTRACTOR)
    extractor.save_pretrained(folder)
    train_tokenizer(work / f"{name}-tokenizer.json", clap.MODELS[name]["seed"]).save_pretrained(folder)
    return folder


def write_card(name: str, work: Path, folder: Path) -> None:
    metrics = json.loads((folder / "metrics.json").read_text())
    state = torch.load(work / f"{name}.pt", map_location="cpu", weights_only=True)
    unit = "core minutes" if state["device"] == "CPU" else f"minutes on an {state['device']} (`--device cuda`)"
    parameters = sum(p.numel() for p in clap.build(name).parameters()) / 1e6
    bars = {"caption of a sound, R@1": (metrics["caption_of_a_sound"]["R@1"], 0.85),
            "order": (metrics["prefers_right_order"], 0.90)}
    missed = [f"{what} {value:.3f} (wanted {bar})" for what, (value, bar) in bars.items() if value < bar]
    text = CARD.format(
        title=f"Small CLAP {name[-1]}", name=name, classes=len(NAMES), parameters=parameters,
        scenes=metrics["scenes"], ordered=metrics["ordered_scenes"], among=metrics["among"],
        caption=metrics["caption_of_a_sound"], sound=metrics["sound_of_a_caption"],
        order=metrics["prefers_right_order"], event=metrics["prefers_right_event"],
        below=f"\n\n**Below what was wanted:** {'; '.join(missed)}." if missed else "", minutes=state["used"] / 60, unit=unit,
        seed=clap.MODELS[name]["seed"])
    (folder / "README.md").write_text(text)
    files = []
    for path in RUN_TIME:
        data = (folder / path).read_bytes()
        files.append({"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    write_json(folder / "files.json", {"id": name, "name": f"Small CLAP {name[-1]}", "files": files})
    for path in folder.iterdir():
        path.chmod(0o644)
    print(f"export: {sum(f['size'] for f in files) / 1e6:.2f} MB in {folder}")
