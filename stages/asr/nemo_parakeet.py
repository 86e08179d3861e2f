"""Parakeet through NeMo: a transducer that times its words by itself, greedy and without a prompt.

It takes nothing of `beam_size`, `patience`, `initial_prompt` and `hotwords`, and a second try at a repetition hears the
same again, so it is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from nemo.collections.asr.models import ASRModel
from omegaconf import open_dict

from shared.documents.speech import Region
from shared.stage import Device
from shared.text.heard_languages import EUROPEAN
from stages.asr.heard import Heard, HeardWord
from stages.asr.packs import PACK_MS
from stages.asr.stage import AsrParams
from stages.toolkit.audio.waveform import open_speech, read_pack

# What an archive does not say, from its page.
_LANGUAGES = {"parakeet-tdt-0.6b-v3": tuple(EUROPEAN.split())}
_ENGLISH = ("en",)
_NO_CONFIDENCE = 0.0


class ParakeetEngine:
    """A model restored from its archive."""

    longest_ms = PACK_MS

    def __init__(self, model: ASRModel, languages: Sequence[str]) -> None:
        self._model, self.languages = model, frozenset(languages)

    def hears_prompt(self, text: str) -> bool:
        """Return true: the model takes no prompt, so none is lost."""
        return True

    def duration_ms(self, audio: Path) -> int:
        return open_speech(audio).duration_ms

    def identify_language(self, audio: Path, pack: Sequence[Region]) -> dict[str, float]:
        """Return the only language of the model. A model for several languages identifies the language and does not
        report it."""
        return {next(iter(self.languages)): 1.0} if len(self.languages) == 1 else {}

    def transcribe(
        self, audio: Path, pack: Sequence[Region], language: str, params: AsrParams, again: bool
    ) -> Iterator[Heard]:
        """Decode a pack as a whole; its segments end where the text has a full stop."""
        heard = self._model.transcribe(
            [read_pack(audio, pack)], batch_size=1, return_hypotheses=True, timestamps=True, verbose=False
        )[0]
        words = timed_words(heard.timestamp["word"], heard.word_confidence)
        for segment in heard.timestamp["segment"]:
            end_ms = round(segment["end"] * 1000)
            taken = [word for word in words if word.end_ms <= end_ms]
            words = words[len(taken) :]
            if taken:
                yield Heard(tuple(taken), _log_probability(taken), 0.0)
        if words:
            yield Heard(tuple(words), _log_probability(words), 0.0)


def timed_words(stated: Sequence[Mapping[str, object]], confidences: Sequence[float] | None) -> list[HeardWord]:
    """The words in their order. NeMo counts the words of its confidences by the spaces of the text; where that gives
    another number than it has timed, each has the mean."""
    given = [float(confidence) for confidence in confidences or ()]
    if len(given) != len(stated):
        given = [math.fsum(given) / len(given) if given else _NO_CONFIDENCE] * len(stated)
    words: list[HeardWord] = []
    before_ms = 0
    for word, probability in zip(stated, given, strict=True):
        start_ms = max(round(float(str(word["start"])) * 1000), before_ms)
        before_ms = max(round(float(str(word["end"])) * 1000), start_ms)
        words.append(HeardWord(f" {word['word']}", start_ms, before_ms, min(max(probability, 0.0), 1.0)))
    return words


def _log_probability(words: Sequence[HeardWord]) -> float:
    return math.fsum(math.log(max(word.probability, 1e-9)) for word in words) / len(words)


def load(models: Mapping[str, Path], device: Device) -> ParakeetEngine:
    """Restore the model from the one `.nemo` archive in its folder. By its name NeMo would ask the hub, and delete and
    fetch again what it has."""
    torch.set_num_threads(device.threads)
    archive = next(iter(sorted(models["recognizer"].glob("*.nemo"))))
    model = ASRModel.restore_from(str(archive), map_location=torch.device(device.kind)).eval()
    decoding = model.cfg.decoding
    with open_dict(decoding):
        decoding.compute_timestamps = True
        decoding.confidence_cfg = {
            "preserve_word_confidence": True, "exclude_blank": True, "aggregation": "mean",
            "method_cfg": {"name": "max_prob", "alpha": 1.0},
        }  # fmt: skip
    model.change_decoding_strategy(decoding, verbose=False)
    return ParakeetEngine(model, _LANGUAGES.get(archive.stem, _ENGLISH))
