"""Stage `card`: README.md (the model card), LICENSES.md, ten spectrograms and held-out-captions.json."""
from __future__ import annotations

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch

import config
from captions import held_out_pairs
from evaluate import GUIDANCE, STEPS, ground_truth, held_out_scenes
from export import write_files_json
from mel import log_mel
from sounds import CLASSES

LINE_WIDTH = 110
HERE = Path(__file__).resolve().parent
BARS = {"single": 0.85, "ordered": 0.70, "swapped": 0.05, "codec": 0.95, "partials": 0.90}
LICENSES = """# Licences of what the default model was trained on

The weights in this folder are released with the repository under its Apache-2.0 licence.

| source | used for | licence |
| --- | --- | --- |
| FluidR3 GM and GS sound fonts, (c) 2000-2002, 2008 Frank Wen (Debian `fluid-soundfont-gm`, `fluid-soundfont-gs`) | animals, weather, vehicles, effects, instruments, drums | MIT |
| `misc_crow.flac` of sonic-pi-samples, (c) 2008 davidworksonline | the crow | CC0 |
| espeak-ng (a GPL-3 program, run as a program) | speech; its output carries no licence of the program's | - |
| flite (a BSD-like licensed program, run as a program) | speech; likewise | - |
| procedural synthesis in tools/train-default/synth.py | rain, wind, fire, cat, clock, alarm, telephone, bells, ... | this repository's |

No GPL-2, CC-BY-SA or non-commercial recordings were used, and no pretrained weights.
"""


def pictures(work: Path, out: Path, seed: int) -> list[str]:
    """Ten held-out captions: test-source ground truth above, what the model makes below."""
    scenes = held_out_scenes(seed)
    made = torch.from_numpy(np.load(work / "generated.npy").astype(np.float32))
    truth = ground_truth(work, scenes, seed)
    wanted = {"single": ("dog", "piano", "siren", "telephone", "bell")}
    picks = [next(i for i, s in enumerate(scenes) if s["events"] == [name]) for name in wanted["single"]]
    picks += [i for i, s in enumerate(scenes) if s["relation"] == "then"][:80:20]
    picks += [i for i, s in enumerate(scenes) if s["relation"] == "three"][:1]
    (out / "spectrograms").mkdir(exist_ok=True)
    lines = []
    for k, i in enumerate(picks[:10]):
        figure, axes = plt.subplots(2, 1, figsize=(7, 4.2), sharex=True)
        for axis, wave, label in ((axes[0], truth[i], "ground truth"), (axes[1], made[i], "generated")):
            axis.imshow(log_mel(wave[None])[0].T, origin="lower", aspect="auto", vmin=-10, vmax=1,
                        extent=(0, 5.12, 0, 64))
            axis.set_ylabel(f"{label}\nmel bin")
        axes[0].set_title(scenes[i]["caption"], fontsize=9)
        axes[1].set_xlabel("seconds")
        figure.tight_layout()
        name = f"spectrograms/{k:02d}-{'-'.join(scenes[i]['events'])}.png"
        figure.savefig(out / name, dpi=60)
        plt.close(figure)
        lines.append(f"![{scenes[i]['caption']}]({name})")
    return lines


def verdicts(metrics: dict) -> list[tuple[str, float, str, bool]]:
    generated, share = metrics["table"]["generated audio"], metrics["codec_share_of_ground_truth"]
    rows = [("ground truth -> VAE -> vocoder, share of ground truth, single event", share["single_top1"], "codec"),
            ("the same, both events in order", share["ordered_right"], "codec"),
            ("generated audio, single event top-1", generated["single_top1"], "single"),
            ("generated audio, both events in the right order", generated["ordered_right"], "ordered"),
            ("generated audio, order swapped", generated["ordered_swapped"], "swapped"),
            ("pitched clips with visible partials through VAE + vocoder",
             metrics["harmonics"]["clips_with_visible_partials"], "partials")]
    return [(what, value, f"{'<=' if bar == 'swapped' else '>='} {BARS[bar]:.2f}",
             value <= BARS[bar] if bar == "swapped" else value >= BARS[bar]) for what, value, bar in rows]


def sizes(out: Path) -> list[str]:
    rows, total = [], 0
    for part in ("text_encoder", "unet", "vae", "vocoder", "tokenizer"):
        size = sum(f.stat().st_size for f in (out / part).iterdir())
        total += size
        rows.append(f"| {part} | {size / 1e6:.2f} MB |")
    return [*rows, f"| all | {total / 1e6:.2f} MB |"]


def write(work: Path, out: Path, seed: int) -> None:
    metrics = json.loads((out / "metrics.json").read_text())
    held_out = held_out_pairs(seed)
    clips = f"{sum(count for count, _ in config.PLANS['cuda'].clips.values()):,}"
    columns = ("single_top1", "ordered_both", "ordered_right", "ordered_swapped", "together_both", "three_right")
    table = [f"| {name} | " + " | ".join(f"{row[c]:.2f}" for c in columns) + " |"
             for name, row in metrics["table"].items()]
    bars = [f"| {what} | {value:.3f} | {bar} | {'met' if met else '**missed**'} |"
            for what, value, bar, met in verdicts(metrics)]
    h = metrics["harmonics"]
    weakest = ", ".join(f"{k} ({v:.2f})" for k, v in sorted(h["peaks_found_by_class"].items(), key=lambda x: x[1])[:6])
    missed = [what for what, *_, met in verdicts(metrics) if not met]
    text = f"""---
license: apache-2.0
pipeline_tag: text-to-audio
language: en
---
# Tango Studio's default model

A very small text-to-audio model of the Tango family, trained from scratch in hours of two CPU cores and minutes of a
GPU: T5 encoder (frozen after pretraining) -> UNet latent diffusion (v prediction) -> mel VAE -> HiFi-GAN; 16 kHz mono, 1-10.24 s. It knows
{len(CLASSES)} kinds of sound and the order of up to three of them, and nothing else. It exists so that the studio works
at once, offline, on any machine; load Tango 2 for anything serious.

Sounds: {', '.join(c.name.replace('_', ' ') for c in CLASSES)}.

## Measured
{metrics['captions']} held-out captions (the {len(held_out)} pairs of classes in them never occur together in training),
DPM-Solver++ {STEPS} steps, guidance {GUIDANCE:g}, 5.12 s, the f16 weights of this folder computed in f32.
The judge is an independent classifier: own seed, own renderings, audio only, ordinary augmentation (gain,
tilt, noise, masked bands and times), never shown a codec or a generated sound. Another classifier (other seed,
other clips, other width) gave the codec's perceptual loss; it judges nothing here. Ground truth is rendered from sources
held out of training. On simultaneous events the judge itself is weak (see its ground truth). Script: `tools/train-default/evaluate.py`; all figures: `metrics.json`.

| | {' | '.join(c.replace('_', ' ') for c in columns)} |
| --- | {' | '.join('---' for _ in columns)} |
{chr(10).join(table)}

| bar | measured | wanted | |
| --- | --- | --- | --- |
{chr(10).join(bars)}

Harmonics, {h['pitched_clips']} pitched test clips through VAE and vocoder (`harmonics.py`): mean absolute error of spectral
peaks {h['peak_error_hz']} Hz, of the harmonic-to-noise ratio {h['harmonic_to_noise_error_db']} dB; weakest by share of peaks
found again: {weakest}. Log-mel L1: VAE {metrics['log_mel_l1']['VAE']}, vocoder {metrics['log_mel_l1']['vocoder']}.

{'Bars missed: ' + '; '.join(missed) + '. They are left as measured.' if missed else 'All bars are met.'}

## Data
{clips} clips rendered from packaged sounds and synthesis, one to three events, with captions from
templates (before, after, then, followed by, while, as, ...) in the last round. See LICENSES.md. Steady tones lie on multiples of 100 Hz,
because a HiFi-GAN of this size with a hop of 160 samples can make nothing else from a constant mel.

## Limits
Unknown sounds come out as the nearest known one. Voices speak no words. Long clips repeat their event. Timbre is
coarse: 64 mel bins, a small VAE and a small vocoder.

## Sizes
A UNet pass takes 1.35 GFLOP for 5.12 s (latents 16 x 64 x 8), the VAE's decoder about 8.5, the vocoder about 11.

| part | f16 |
| --- | --- |
{chr(10).join(sizes(out))}

## Spectrograms
{chr(10).join(pictures(work, out, seed))}

Made stage by stage with `tools/train-default/train.py`, seed {seed}, in four rounds: from nothing, then three times from the
checkpoint before (`--from`), the last on a GPU (`--device cuda`: codec and UNet). `train.py all --work DIR --seed {seed}`
runs every stage from nothing.
"""
    (out / "README.md").write_text(text)
    (out / "LICENSES.md").write_text(LICENSES)
    write_files_json(out)
    write_captions(seed)
    print(f"card: {out / 'README.md'}")


def write_captions(seed: int) -> None:
    """In the repository's JSON style: one scene a line where it fits."""
    rows = []
    for s in held_out_scenes(seed):
        events = ", ".join(json.dumps(e) for e in s["events"])
        parts = [f'"relation": "{s["relation"]}"', f'"events": [{events}]', f'"caption": {json.dumps(s["caption"])}']
        line = f"  {{ {', '.join(parts)} }}"
        rows.append(line if len(line) < LINE_WIDTH else "  {\n    " + ",\n    ".join(parts) + "\n  }")
    (HERE / "held-out-captions.json").write_text("[\n" + ",\n".join(rows) + "\n]\n")
