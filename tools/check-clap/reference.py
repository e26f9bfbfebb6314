"""A CLAP of the published size with random weights in the published form, and what LAION's code makes of it.

    python tools/check-clap/reference.py
    npx vitest run --config tools/check-clap/vitest.config.ts

Writes .cache/check-clap/630k-random.pt (HTSAT-tiny and RoBERTa-base, as 630k-audioset-best.pt: `module.`, the STFT as
convolutions, position_ids, epoch, optimizer) and reference.safetensors beside it.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))
import numpy as np  # noqa: E402
import torch  # noqa: E402
from clap import fill, laion_model, prompts, published_form, quantised  # noqa: E402
from common import REPOSITORY, write_fixture  # noqa: E402
from transformers import RobertaConfig  # noqa: E402

FOLDER = ".cache/check-clap"


def main() -> None:
    roberta = RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5,
                            pad_token_id=1, bos_token_id=0, eos_token_id=2)
    torch.manual_seed(906)
    clap = laion_model(96, [2, 2, 6, 2], roberta, 512, 527, heads=[4, 8, 16, 32])
    fill(clap, 906)
    (REPOSITORY / FOLDER).mkdir(parents=True, exist_ok=True)
    torch.save(published_form(clap), REPOSITORY / FOLDER / "630k-random.pt")
    ids, mask = prompts(50265, torch.Generator().manual_seed(906))
    t = np.arange(240000) / 48000
    wave = (0.4 * np.sin(2 * np.pi * 500 * t * (1 + 0.3 * t)) * (np.sin(2 * np.pi * 3 * t) > 0)).astype(np.float32)
    filled = np.tile(quantised(wave), 2)
    with torch.no_grad():
        words = clap.get_text_embedding({"input_ids": ids, "attention_mask": mask})
        sounds = clap.get_audio_embedding([{"waveform": torch.from_numpy(filled)}])
    write_fixture(f"{FOLDER}/reference.safetensors",
                  {"input_ids": ids.int(), "attention_mask": mask.int(), "wave": torch.from_numpy(wave), "text": words,
                   "audio": sounds}, seed=906, laion_clap="1.1.7",
                  tolerance="max|a-b| / rms(reference): 1e-3 from the file, 1e-2 from what the library keeps (float16)")


if __name__ == "__main__":
    main()
