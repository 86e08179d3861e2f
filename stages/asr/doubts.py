"""Judge decoded text: text on silence, repetition, an echo of the prompt, a language the model is weak in. Pure."""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from shared.documents.removals import Removal
from shared.documents.transcript import Segment
from shared.text.error_rates import ErrorRate
from shared.text.language import english_name
from shared.text.language_params import entry_for
from shared.text.text_width import is_spaceless
from stages.asr.decoded import DecodedSegment

_FEWEST_ECHOED_WORDS = 2
_WEAK_PERCENT = 30.0  # to correct a third of all words or letters is more work than to type them

# `You` on 20 s of silence: log probability -0.8, so sure enough for Whisper's rule, but its word 0.08. Segments of
# real speech have 0.75 and more, at 0 dB too; where one had 0.16, Whisper was not above `no_speech_threshold`.
_UNSURE_WORDS = 0.3


@dataclass(frozen=True)
class Limits:
    """The limits of a segment's figures. Above `no_speech` (a probability) and below `log_probability`, text counts as
    text on silence; above `compression_ratio` it counts as a repetition."""

    no_speech: float
    log_probability: float
    compression_ratio: float


@dataclass(frozen=True)
class Doubt:
    """The judgement of a segment, and the figures that it rests on, by name."""

    is_silent: bool  # likely to be text on silence
    is_repetitive: bool
    evidence: dict[str, float]

    def removal(self, segment: Segment) -> Removal:
        """Return the record of the segment as text that is left out."""
        return Removal(
            start_ms=segment.start_ms,
            end_ms=segment.end_ms,
            text=segment.text,
            reason="no-speech" if self.is_silent else "repetitive",
            evidence=self.evidence,
        )


def judge(decoded: DecodedSegment, segment: Segment, limits: Limits) -> Doubt:
    """Judge a segment by the figures of the decoder and by how well its text compresses."""
    word_probability = sum(word.probability for word in segment.words) / len(segment.words)
    unsure = decoded.average_log_probability < limits.log_probability or word_probability < _UNSURE_WORDS
    ratio = compression_ratio(segment.text)
    repetitive = ratio > limits.compression_ratio
    silent = decoded.no_speech_probability > limits.no_speech and (unsure or repetitive)
    evidence = {
        "no_speech_probability": decoded.no_speech_probability,
        "average_log_probability": decoded.average_log_probability,
        "word_probability": word_probability,
        "compression_ratio": ratio,
    }
    return Doubt(silent, repetitive, {name: round(value, 4) for name, value in evidence.items()})


def compression_ratio(text: str) -> float:
    """Return the length of a text divided by its length compressed: Whisper's measure of repetition."""
    content = text.encode()
    return len(content) / len(zlib.compress(content))


def echoes_prompt(text: str, prompt: str | None) -> bool:
    """Tell whether a sentence of two words or more is a part of the prompt.

    Whisper repeats its prompt where it does not understand the audio: Spanish digits, repeated by a machine, became
    `Hola. ¿Cómo estás?`. Real speech with these words is recognised without the prompt.
    """
    words, prompt_words = _bare_words(text), _bare_words(prompt or "")
    return len(words) >= _FEWEST_ECHOED_WORDS and any(
        prompt_words[at : at + len(words)] == words for at in range(len(prompt_words) - len(words) + 1)
    )


def weak_language_warnings(languages: Iterable[str], rates: Mapping[str, ErrorRate]) -> Iterator[str]:
    """Yield a warning for each language in which the model is known to be weak, by its published error rates."""
    for language in dict.fromkeys(languages):
        rate = entry_for(rates, language, None)
        if rate and rate.percent >= _WEAK_PERCENT:
            yield (
                f"this model is known to be weak in {english_name(language)}, so expect many errors: its published"
                f" {rate.unit} error rate is {rate.percent:.0f} % ({rate.source})"
            )


def _bare_words(text: str) -> list[str]:
    """Return the words without marks and letter case; in scripts without spaces, the characters."""
    letters = "".join(
        character if unicodedata.category(character)[0] in "LMN" else " " for character in text.casefold()
    )
    words = letters.split()
    return list("".join(words)) if any(map(is_spaceless, "".join(words))) else words
