"""Translate with AI4Bharat's IndicTrans2 through transformers and IndicTransToolkit: one model for each direction.

The model's classes are Python files of its repository. They are compared with the lock before any is imported, and they
come only from the snapshot: no repository is contacted, and there is no token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
from IndicTransToolkit.processor import IndicProcessor
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.dynamic_module_utils import create_dynamic_module, init_hf_modules

from shared.files import sha256_of
from shared.remote_code import check_code
from shared.stage import Device, StageError
from shared.text.flores_codes import INDICTRANS2, flores_code
from stages.translate.seq2seq import generate, precision, use_threads
from stages.translate.stage import Work, indic_direction
from stages.translate.text_engine import TextEngine

_COPIES = "transformers_modules"


class IndicTransModel:
    """The models, each of which is loaded for the first text of its direction; a single one at once."""

    def __init__(self, folders: Mapping[str, Path], device: Device) -> None:
        self._folders, self._device = folders, device
        self._loaded: dict[str, tuple[PreTrainedModel, PreTrainedTokenizerBase]] = {}
        if len(folders) == 1:
            self._model(next(iter(folders)))

    def translate(self, texts: Sequence[str], work: Work, tick: Callable[[int], None]) -> list[str]:
        """Translate texts of one language into another."""
        source = flores_code(work.source, INDICTRANS2, "IndicTrans2")
        target = flores_code(work.target, INDICTRANS2, "IndicTrans2")
        model, tokenizer = self._model(indic_direction(work.source, work.target))
        return generate(model, _Codec(tokenizer, source, target), texts, work.params, tick)

    def _model(self, role: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
        if role not in self._folders:
            raise StageError(
                "translate.direction",
                f"the model for the direction {role} was not requested, because another language was expected",
                "say which language is spoken with `--language`",
            )
        if role not in self._loaded:
            self._loaded[role] = _load(self._folders[role], role, self._device)
        return self._loaded[role]


class _Codec:
    """The model's tokenizer with the toolkit's normalization, from one FLORES code to another."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, source: str, target: str) -> None:
        self._tokenizer, self._source, self._target = tokenizer, source, target
        self._processor = IndicProcessor(inference=True)  # remembers numbers and addresses from encoding to decoding

    def encode(self, texts: list[str]) -> Mapping[str, torch.Tensor]:
        prepared = self._processor.preprocess_batch(texts, src_lang=self._source, tgt_lang=self._target)
        return dict(self._tokenizer(prepared, padding="longest", return_tensors="pt", return_attention_mask=True))

    def decode(self, ids: torch.Tensor) -> list[str]:
        with self._tokenizer.as_target_tokenizer():
            texts = self._tokenizer.batch_decode(
                ids.tolist(), skip_special_tokens=True, clean_up_tokenization_spaces=True
            )  # fmt: skip
        return [str(text).strip() for text in self._processor.postprocess_batch(texts, lang=self._target)]


def _load(folder: Path, role: str, device: Device) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    check_code(folder, role, device.options)
    _drop_stale_copies(folder)
    path, dtype = str(folder), precision(device.options, device)
    tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=True)
    model = AutoModelForSeq2SeqLM.from_pretrained(
        path, local_files_only=True, trust_remote_code=True, torch_dtype=dtype
    )  # fmt: skip
    return model.to(device.kind).eval(), tokenizer


def _drop_stale_copies(folder: Path) -> None:
    """Delete stale copies of model code. transformers imports a copy of each file, and compares only its size and time;
    it makes a deleted copy again."""
    init_hf_modules()
    create_dynamic_module(_COPIES)
    spec = find_spec(_COPIES)
    for place in (spec and spec.submodule_search_locations) or ():
        for copy in Path(place).rglob(f"{folder.name}/*.py"):
            original = folder / copy.name
            if original.exists() and sha256_of(copy) != sha256_of(original):
                copy.unlink(missing_ok=True)


def load(models: Mapping[str, Path], device: Device) -> TextEngine:
    use_threads(device)
    return TextEngine(IndicTransModel(models, device))
