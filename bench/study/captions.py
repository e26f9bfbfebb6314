"""Captions of the study: those it learns from, and those it is measured on.

    python bench/study/captions.py            # writes bench/study/captions.json

Training captions come from the default model's own templates (tools/train-default/captions.py); no pair of sounds that
occurs in held-out-captions.json, and no caption of it, is among them. The measured ones are every second of that file.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools/train-default"
sys.path.insert(0, str(TOOLS))
from captions import caption, held_out_pairs, random_scene  # noqa: E402

COUNT, SEED = 240, 7
# single, then, while, three, while_then: as the measured ones are mixed.
WEIGHTS = (0.30, 0.50, 0.12, 0.08, 0.0)


def main() -> None:
    held_out = json.loads((TOOLS / "held-out-captions.json").read_text())
    kept_out = held_out_pairs(0) | {frozenset(p) for s in held_out for p in itertools.combinations(s["events"], 2)}
    texts = {s["caption"].lower().rstrip(".") for s in held_out}
    rng = np.random.default_rng(SEED)
    training: list[dict] = []
    while len(training) < COUNT:
        relation, events = random_scene(rng, WEIGHTS, kept_out)
        text = caption(relation, events, rng)
        if text.lower().rstrip(".") in texts:
            continue
        texts.add(text.lower().rstrip("."))
        training.append({"relation": relation, "events": events, "caption": text})
    def lines(scenes: list[dict]) -> str:
        return "[\n    " + ",\n    ".join(json.dumps(s) for s in scenes) + "\n  ]"
    out = ROOT / "bench/study/captions.json"
    out.write_text('{\n  "training": ' + lines(training) + ',\n  "heldOut": ' + lines(held_out[::2]) + "\n}\n")
    print(f"{len(training)} training captions, {len(held_out[::2])} held out: {out}")


if __name__ == "__main__":
    main()
