#!/usr/bin/env python3
"""Makes the default checkpoint from nothing:  python tools/train-default/train.py all --work DIR --seed 0

Every stage is resumable: a stage that is done is skipped or goes on from its last checkpoint. Stages in parallel
(the vocoder beside everything else) save wall clock on two cores: run `train.py vocoder` in one terminal and
`train.py all --skip vocoder` in another. Budgets are in config.py.
"""
from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import training

HERE = Path(__file__).resolve().parent
DEFAULT_OUT = HERE.parent.parent / "public/models/default"


def stages(work: Path, out: Path, seed: int, threads: int, warm: Path | None, rate: float = 1.0,
           device: str = "cpu") -> dict[str, Callable[[], object]]:
    """In the order in which `all` runs them."""
    import bank
    import card
    import classifier
    import codec
    import config
    import evaluate
    import export
    import render
    import text_encoder
    import unet
    import vae
    import vocoder
    import warm_start

    plan = config.PLANS[device]
    m = plan.minutes
    first = {"warm-start": lambda: warm_start.warm_start(work, warm)} if warm else {}
    return first | {
        "bank": lambda: bank.build(work, seed),
        "render": lambda: render.render_training_set(work, plan.clips, seed),
        "vae": lambda: vae.train(work, seed, m["vae"], lr=1e-3 * rate, threads=threads),
        "latents": lambda: vae.latents(work, plan.latents, threads=threads),
        "decoder": lambda: vae.train(work, seed, m["vae"], m["decoder"], lr=1e-3 * rate, threads=threads),
        "vocoder": lambda: vocoder.train(work, seed, m["vocoder"], m["vocoder_spectral"], lr=1e-3 * rate, threads=threads,
                                         finetune_from=config.VOCODER_FINETUNE_FROM),
        "ear": lambda: codec.train_ear(work, seed, m["ear"], threads=threads),
        "codec": lambda: codec.train(work, seed, m["codec"], lr=3e-4 * rate, threads=threads),
        "text": lambda: text_encoder.train(work, seed, m["text"], threads=threads),
        "unet": lambda: unet.train(work, seed, m["unet"], lr=1e-3 * rate, threads=threads),
        "classifier": lambda: classifier.train(work, seed, m["classifier"], threads=threads),
        "export": lambda: export.export(work, out, seed),
        "evaluate": lambda: evaluate.evaluate(work, out, seed, workers=threads),
        "card": lambda: card.write(work, out, seed),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", help="all, or one of: bank render vae latents decoder vocoder ear codec text unet "
                                      "classifier export evaluate card")
    parser.add_argument("--work", type=Path, default=HERE / ".work", help="clips, latents and checkpoints (5 GB)")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="the folder that is shipped")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--from", dest="warm", type=Path, help="go on from an exported checkpoint with the same classes")
    parser.add_argument("--rate", type=float, default=1.0, help="multiplies the learning rates (0.5 after a warm start)")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="a GPU has a plan of its own in config.py")
    parser.add_argument("--skip", nargs="*", default=[], help="stages that run elsewhere")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    training.use_device(arguments.device)
    every = stages(arguments.work, arguments.out, arguments.seed, arguments.threads, arguments.warm,
                   arguments.rate, arguments.device)
    if arguments.stage != "all" and arguments.stage not in every:
        parser.error(f"unknown stage {arguments.stage}")
    for name in every if arguments.stage == "all" else [arguments.stage]:
        if name not in arguments.skip:
            print(f"== {name}", flush=True)
            every[name]()


if __name__ == "__main__":
    main()
