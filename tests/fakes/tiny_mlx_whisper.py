"""Writes a Whisper with few, random weights, as its repository for MLX holds it: `tiny_mlx_whisper.py FOLDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_whisper.whisper import ModelDimensions, Whisper

DIMENSIONS = {
    "n_mels": 80, "n_audio_ctx": 1500, "n_audio_state": 16, "n_audio_head": 2, "n_audio_layer": 1,
    "n_vocab": 51_865, "n_text_ctx": 64, "n_text_state": 16, "n_text_head": 2, "n_text_layer": 1,
}  # fmt: skip


def main(folder: Path) -> None:
    mx.random.seed(0)
    model = Whisper(ModelDimensions(**DIMENSIONS), mx.float16)
    # Else the many timestamps outweigh every word, and the rules that keep them in pairs leave nothing to choose.
    embedding, timestamps = model.decoder.token_embedding.weight, 1501
    model.decoder.token_embedding.weight = mx.concatenate([embedding[:-timestamps] * 8, embedding[-timestamps:] * 0.01])
    model.decoder.positional_embedding = mx.random.normal(model.decoder.positional_embedding.shape) * 8
    model.set_dtype(mx.float16)
    mx.savez(str(folder / "weights.npz"), **dict(tree_flatten(model.parameters())))
    (folder / "config.json").write_text(json.dumps({**DIMENSIONS, "model_type": "whisper"}), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
