"""Transcribe with Parakeet through NeMo: a transducer that times its words, decoded greedily and without a prompt.

On a card it decodes several of the expected packs at once, in their order.

`beam_size`, `patience`, `initial_prompt` and `hotwords` have no effect. A retry of a repetition gives the same text
again, so the stage leaves it out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from nemo.collections.asr.models import ASRModel
from nemo.collections.asr.parts.utils.rnnt_utils import Hypothesis
from omegaconf import open_dict

from shared.documents.speech import Region
from shared.stage import Device
from shared.text.heard_languages import EUROPEAN
from stages.asr.decoded import DecodedSegment, DecodedWord
from stages.asr.memory import PACKS_AT_ONCE
from stages.asr.packs import PACK_MS
from stages.asr.spoken_language import Pack
from stages.asr.stage import AsrParams
from stages.toolkit.audio.waveform import open_speech, read_pack

# By the stem of the archive, which does not name its languages. From the models' pages.
_LANGUAGES = {"parakeet-tdt-0.6b-v3": tuple(EUROPEAN.split())}
_ENGLISH = ("en",)
_NO_CONFIDENCE = 0.0
_PACKS_AT_ONCE = {"cuda": 4}


class ParakeetEngine:
    """A model restored from its archive."""

    longest_ms = PACK_MS

    def __init__(self, model: ASRModel, languages: Sequence[str], packs_at_once: int) -> None:
        self._model, self.languages, self._packs_at_once = model, frozenset(languages), packs_at_once
        self.reset()

    def prompt_fits(self, text: str) -> bool:
        """Return true: the model takes no prompt."""
        return True

    def duration_ms(self, audio: Path) -> int:
        return open_speech(audio).duration_ms

    def identify_language(self, audio: Path, pack: Sequence[Region]) -> dict[str, float]:
        """Return the model's language if it has only one. A model for several languages does not report which one it
        identified."""
        return {next(iter(self.languages)): 1.0} if len(self.languages) == 1 else {}

    def reset(self) -> None:
        """Forget the last job."""
        self._expected: Sequence[Pack] = ()
        self._hypotheses: dict[Pack, Hypothesis] = {}

    def expect(self, packs: Sequence[Pack]) -> None:
        """Take the packs of a job, in the order in which they will be transcribed."""
        self._expected = packs

    def transcribe(
        self, audio: Path, pack: Sequence[Region], language: str, params: AsrParams, retry: bool
    ) -> Iterator[DecodedSegment]:
        """Decode a pack as a whole; its segments end where the text has a full stop."""
        hypothesis = self._hypothesis(audio, tuple(pack))
        words = timed_words(hypothesis.timestamp["word"], hypothesis.word_confidence)
        for segment in hypothesis.timestamp["segment"]:
            end_ms = round(segment["end"] * 1000)
            taken = [word for word in words if word.end_ms <= end_ms]
            words = words[len(taken) :]
            if taken:
                yield DecodedSegment(tuple(taken), _log_probability(taken), 0.0)
        if words:
            yield DecodedSegment(tuple(words), _log_probability(words), 0.0)

    def _hypothesis(self, audio: Path, pack: Pack) -> Hypothesis:
        """Return the hypothesis for a pack. An expected pack is decoded in a batch with those after it."""
        if pack not in self._hypotheses:
            if pack not in self._expected:
                return self._decode(audio, (pack,))[0]
            first = self._expected.index(pack)
            batch = self._expected[first : first + self._packs_at_once]
            self._hypotheses = dict(zip(batch, self._decode(audio, batch), strict=True))
        return self._hypotheses[pack]

    def _decode(self, audio: Path, packs: Sequence[Pack]) -> Sequence[Hypothesis]:
        found: Sequence[Hypothesis] = self._model.transcribe(
            [read_pack(audio, pack) for pack in packs], batch_size=len(packs), return_hypotheses=True, timestamps=True,
            verbose=False,
        )  # fmt: skip
        return found


def timed_words(timestamps: Sequence[Mapping[str, object]], confidences: Sequence[float] | None) -> list[DecodedWord]:
    """Return the words in order, none beginning before the one before it ends.

    NeMo has one confidence for each word between spaces of the text. If those are not as many as the timed words, each
    timed word gets their mean.
    """
    given = [float(confidence) for confidence in confidences or ()]
    if len(given) != len(timestamps):
        given = [math.fsum(given) / len(given) if given else _NO_CONFIDENCE] * len(timestamps)
    words: list[DecodedWord] = []
    before_ms = 0
    for word, probability in zip(timestamps, given, strict=True):
        start_ms = max(round(float(str(word["start"])) * 1000), before_ms)
        before_ms = max(round(float(str(word["end"])) * 1000), start_ms)
        words.append(DecodedWord(f" {word['word']}", start_ms, before_ms, min(max(probability, 0.0), 1.0)))
    return words


def _log_probability(words: Sequence[DecodedWord]) -> float:
    return math.fsum(math.log(max(word.probability, 1e-9)) for word in words) / len(words)


def load(models: Mapping[str, Path], device: Device) -> ParakeetEngine:
    """Restore the model from the one `.nemo` archive in its folder. Given the model's name instead, NeMo would ask the
    hub, and delete and fetch again the files that it has."""
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
    packs_at_once = int(device.options.get(PACKS_AT_ONCE) or _PACKS_AT_ONCE.get(device.kind, 1))
    return ParakeetEngine(model, _LANGUAGES.get(archive.stem, _ENGLISH), packs_at_once)
