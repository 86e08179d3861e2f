"""Translate with Meta's NLLB-200 through transformers: one model for all languages, with the target as first token."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from shared.stage import Device, StageError
from shared.text.flores_codes import NLLB, flores_code
from stages.translate.seq2seq import generate, precision, use_threads
from stages.translate.stage import Work
from stages.translate.text_engine import TextEngine


class NllbModel:
    """A loaded NLLB of any size."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self._model, self._tokenizer = model, tokenizer

    def translate(self, texts: Sequence[str], work: Work, tick: Callable[[int], None]) -> list[str]:
        """Translate texts into another language. Raises `StageError` if the model has no token for it."""
        source = flores_code(work.source, NLLB, "NLLB")
        target = self._tokenizer.convert_tokens_to_ids(flores_code(work.target, NLLB, "NLLB"))
        if target == self._tokenizer.unk_token_id:
            raise StageError("translate.language", f"this NLLB has no token for {work.target}", "choose another model")
        self._tokenizer.src_lang = source
        return generate(self._model, self, texts, work.params, tick, forced_bos_token_id=target)

    def encode(self, texts: list[str]) -> Mapping[str, torch.Tensor]:
        """Return texts as token ids, padded to one length."""
        return dict(self._tokenizer(texts, padding=True, return_tensors="pt"))

    def decode(self, ids: torch.Tensor) -> list[str]:
        """Return token ids as texts, without the language's token."""
        return [text.strip() for text in self._tokenizer.batch_decode(ids, skip_special_tokens=True)]


def load(models: Mapping[str, Path], device: Device) -> TextEngine:
    use_threads(device)
    folder = str(models["nllb"])
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    dtype = precision(device.options, device)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, local_files_only=True, torch_dtype=dtype)
    return TextEngine(NllbModel(model.to(device.kind).eval(), tokenizer))
