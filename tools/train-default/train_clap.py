#!/usr/bin/env python3
"""Makes the two small CLAPs:  python tools/train-default/train_clap.py default-clap-1 --clips DIR --work DIR2

DIR is the work directory of train.py after its stages `bank` and `render`; it is only read. Training resumes where it
stopped; then comes the evaluation on held-out pairs, and the folder in public/models.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import clap
import clap_evaluate
import clap_export
import config
import training

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=[*clap.MODELS])
    parser.add_argument("--clips", type=Path, default=HERE / ".work", help="where the rendered clips are")
    parser.add_argument("--work", type=Path, default=HERE / ".work", help="features and checkpoints (0.4 GB)")
    parser.add_argument("--out", type=Path, default=HERE.parent.parent / "public/models")
    parser.add_argument("--minutes", type=float, help="of training, on a processor its core minutes")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    training.use_device(arguments.device)
    minutes = arguments.minutes or config.PLANS[arguments.device].minutes["clap"]
    clap.train(arguments.name, arguments.clips, arguments.work, minutes, threads=arguments.threads)
    folder = clap_export.export(arguments.name, arguments.work, arguments.out)
    clap_evaluate.evaluate(folder, arguments.clips)
    clap_export.write_card(arguments.name, arguments.work, folder)


if __name__ == "__main__":
    main()
