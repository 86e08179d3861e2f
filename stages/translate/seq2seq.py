"""Translate texts with a sequence-to-sequence model of transformers: in batches of similar length, by beam search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch

from shared.stage import Device, Option
from stages.translate.stage import TranslateParams


class Codec(Protocol):
    """The steps before and after a model: it encodes texts as input tensors, and decodes token ids to texts."""

    def encode(self, texts: list[str]) -> Mapping[str, torch.Tensor]: ...

    def decode(self, ids: torch.Tensor) -> list[str]: ...


def generate(
    model: Any,  # transformers types no model's `generate`
    codec: Codec,
    texts: Sequence[str],
    params: TranslateParams,
    tick: Callable[[int], None],
    **forced: int,
) -> list[str]:
    """Return the decoded texts, in order. The longest texts are translated first, so that memory runs out at once or
    not at all."""
    found = [""] * len(texts)
    order = sorted(range(len(texts)), key=lambda number: (-len(texts[number]), number))
    for begin in range(0, len(order), params.batch_size):
        batch = order[begin : begin + params.batch_size]
        inputs = {name: tensor.to(model.device) for name, tensor in codec.encode([texts[n] for n in batch]).items()}
        with torch.inference_mode():
            ids = model.generate(
                **inputs,
                **forced,
                do_sample=False,
                num_beams=params.num_beams,
                length_penalty=params.length_penalty if params.num_beams > 1 else None,
                repetition_penalty=params.repetition_penalty,
                no_repeat_ngram_size=params.no_repeat_ngram_size,
                max_length=params.max_length,
                use_cache=True,
            )
        for number, text in zip(batch, codec.decode(ids.cpu()), strict=True):
            found[number] = text
        tick(len(batch))
    return found


def precision(options: Mapping[str, Option], device: Device) -> torch.dtype:
    """Return the precision of the weights."""
    name = str(options.get("dtype") or "auto")
    if name == "auto":
        name = "float32" if device.kind == "cpu" else "float16"
    return {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[name]


def use_threads(device: Device) -> None:
    """Let torch use as many threads as this worker was given."""
    torch.set_num_threads(device.threads)
