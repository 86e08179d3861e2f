"""Prove that CTranslate2 computes on the card: a tiny Whisper encodes a window, which takes cuBLAS and own kernels."""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
from pathlib import Path
from typing import Any  # ctranslate2 has no types

import ctranslate2
import numpy as np
from ctranslate2.specs import WhisperSpec

from shared.stage import DeviceKind
from stages.toolkit.card.cublas import load_cublas
from stages.toolkit.whisper.ctranslate2 import best_compute_type

_WIDTH, _HEADS, _MELS, _FRAMES, _TOKENS = 64, 2, 80, 3000, 64


def prove(device: DeviceKind = "cuda") -> None:
    """Raise what the library raises, if it does not compute there, or `RuntimeError`, if it computes nonsense."""
    if not load_cublas() and importlib.util.find_spec("torch"):
        importlib.import_module("torch")  # on Windows it has the library inside
    with tempfile.TemporaryDirectory() as folder:
        _write_tiny_whisper(Path(folder))
        model = ctranslate2.models.Whisper(folder, device=device, compute_type=best_compute_type(device))
        features = np.ones((1, _MELS, _FRAMES), dtype=np.float32)
        encoded = model.encode(ctranslate2.StorageView.from_array(features), to_cpu=True)
        # Its own kernels convert, since numpy does not know every type of the library.
        if not np.isfinite(np.array(encoded.to(ctranslate2.DataType.float32))).all():
            raise RuntimeError("CUDA computes numbers that are not finite")


def _write_tiny_whisper(folder: Path) -> None:
    """Write a Whisper of one layer with weights of chance."""
    random = np.random.default_rng(0)

    def weights(*shape: int) -> Any:
        return (random.standard_normal(shape) * 0.02).astype(np.float32)

    def fill(layer: Any, out: int, into: int) -> None:
        layer.weight, layer.bias = weights(out, into), np.zeros(out, np.float32)

    def normalise(layer: Any) -> None:
        layer.gamma, layer.beta = np.ones(_WIDTH, np.float32), np.zeros(_WIDTH, np.float32)

    spec = WhisperSpec(1, _HEADS, 1, _HEADS)
    for convolution, into in ((spec.encoder.conv1, _MELS), (spec.encoder.conv2, _WIDTH)):
        convolution.weight, convolution.bias = weights(_WIDTH, into, 3), np.zeros(_WIDTH, np.float32)
    spec.encoder.position_encodings.encodings = weights(_FRAMES // 2, _WIDTH)
    spec.decoder.position_encodings.encodings = weights(448, _WIDTH)
    spec.decoder.embeddings.weight, spec.decoder.projection.weight = weights(_TOKENS, _WIDTH), weights(_TOKENS, _WIDTH)
    normalise(spec.encoder.layer_norm)
    normalise(spec.decoder.layer_norm)
    for block in (*spec.encoder.layer, *spec.decoder.layer):
        fill(block.self_attention.linear[0], 3 * _WIDTH, _WIDTH)
        fill(block.self_attention.linear[1], _WIDTH, _WIDTH)
        fill(block.ffn.linear_0, 4 * _WIDTH, _WIDTH)
        fill(block.ffn.linear_1, _WIDTH, 4 * _WIDTH)
        normalise(block.self_attention.layer_norm)
        normalise(block.ffn.layer_norm)
        if hasattr(block, "attention"):
            normalise(block.attention.layer_norm)
            for layer, out in zip(block.attention.linear, (_WIDTH, 2 * _WIDTH, _WIDTH), strict=True):
                fill(layer, out, _WIDTH)
    names = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>", "<|nospeech|>"]
    spec.register_vocabulary([*names, *map(str, range(_TOKENS - len(names)))])
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [1], []
    spec.config.lang_ids, spec.config.alignment_heads = [2], [(0, 0)]
    spec.validate()
    spec.optimize()
    spec.save(str(folder))
