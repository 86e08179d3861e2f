"""Load a Whisper in CTranslate2, list its languages, and identify the one that is spoken: for every backend that uses
one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ctranslate2
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import _LANGUAGE_CODES

from shared.documents.speech import Region
from shared.stage import Device
from shared.text.language import parse_language
from stages.toolkit.audio.waveform import open_speech, read_pack
from stages.toolkit.card.cublas import load_cublas

# The encoder takes less than its 30 s window, at a tenth of the time for 6 s. 24 clips of 1 to 5 s in eight languages
# were told apart as with 10 s (20 right, the same four wrong), and so were 26 English stretches (all right, mean 0.98).
_SHORTEST_FRAMES = 600
_MOST_LANGUAGES = 5


class Whisper:
    """A loaded Whisper: the methods of stage `asr`'s engine that do not depend on how a pack is decoded."""

    def __init__(self, model: WhisperModel) -> None:
        self._model = model
        self.languages = languages_of(model)

    def prompt_fits(self, text: str) -> bool:
        """Tell whether a text fits into the half of its context that Whisper reserves for a prompt."""
        tokens = self._model.hf_tokenizer.encode(f" {text}", add_special_tokens=False).ids
        return len(tokens) < int(self._model.max_length) // 2

    def duration_ms(self, audio: Path) -> int:
        """Return the length of the audio."""
        return open_speech(audio).duration_ms

    def identify_language(self, audio: Path, pack: Sequence[Region]) -> dict[str, float]:
        """Return the five most probable languages, with their probabilities."""
        if not self._model.model.is_multilingual:
            return {"en": 1.0}
        features = self._model.feature_extractor(read_pack(audio, pack))
        frames = min(max(features.shape[-1], _SHORTEST_FRAMES), self._model.feature_extractor.nb_max_frames)
        encoded = self._model.encode(pad_or_trim(features, frames + frames % 2))
        found = self._model.model.detect_language(encoded)[0][:_MOST_LANGUAGES]
        return {parse_language(token.strip("<|>")): float(probability) for token, probability in found}


def languages_of(model: WhisperModel) -> frozenset[str]:
    """Return the BCP-47 tags of the languages that the model knows; later Whispers know more than earlier ones."""
    if not model.model.is_multilingual:
        return frozenset({"en"})
    known = [code for code in _LANGUAGE_CODES if model.hf_tokenizer.token_to_id(f"<|{code}|>") is not None]
    return frozenset(parse_language(code) for code in known)


def device_name(device: Device) -> str:
    """Return CTranslate2's name of the device. It has no Metal."""
    return "cuda" if device.kind == "cuda" else "cpu"


def compute_type(device: Device) -> str:
    """Return the precision: the requested one, or the best for the device.

    A processor and a card before Volta have no fast half precision; they get single precision instead of it.
    """
    asked, kind = device.options.get("compute_type"), device_name(device)
    if asked in {"float16", "int8_float16"} and asked not in _types(kind):
        return {"float16": "float32", "int8_float16": "int8"}[str(asked)]
    return str(asked or best_compute_type(kind))


def best_compute_type(device: str) -> str:
    """Return 8-bit integers for a processor, half precision for a card that has it, and 8-bit integers for an older
    card, which has no fast half precision."""
    if device == "cpu":
        return "int8"
    types = _types(device)
    return next((name for name in ("float16", "int8") if name in types), "float32")


def _types(device: str) -> set[str]:
    types: set[str] = ctranslate2.get_supported_compute_types(device)
    return types


def load_model(path: Path, device: Device) -> WhisperModel:
    """Load a CTranslate2 Whisper from its folder, without asking the network for anything."""
    if device.kind == "cuda":
        load_cublas()
    return WhisperModel(
        str(path),
        device=device_name(device),
        compute_type=compute_type(device),
        cpu_threads=device.threads,
        local_files_only=True,
    )
