"""Opens an exported parquet of pairs as a researcher would, with Python's `datasets`, and listens to what is in it.

    .venv/bin/python tools/check-preferences/check.py barks.parquet [--rows N]
"""
from __future__ import annotations

import argparse
import io
import json

import datasets
import numpy as np
import soundfile


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--rows", type=int, help="rows that are expected")
    arguments = parser.parse_args()
    data = datasets.load_dataset("parquet", data_files=arguments.file, split="train")
    print(data)
    for column in ("chosen", "rejected"):
        assert isinstance(data.features[column], datasets.Audio), data.features[column]
    for column in ("prompt", "strategy", "split", "studio"):
        assert data.features[column] == datasets.Value("string"), data.features[column]
    if arguments.rows is not None:
        assert data.num_rows == arguments.rows, data.num_rows
    raw = data.cast_column("chosen", datasets.Audio(decode=False)).cast_column("rejected", datasets.Audio(decode=False))
    for row in raw:
        assert row["prompt"] and row["chosen"]["path"].startswith("chosen_"), row["prompt"]
        assert json.loads(row["studio"])["prompt"] == row["prompt"]
        for column in ("chosen", "rejected"):
            audio, rate = soundfile.read(io.BytesIO(row[column]["bytes"]))
            assert len(audio) > 0.1 * rate and np.abs(audio).max() <= 1
            assert rate == data.features[column].sampling_rate
    print(f"{data.num_rows} pairs: captions, sounds and the studio's columns are all there")


if __name__ == "__main__":
    main()
