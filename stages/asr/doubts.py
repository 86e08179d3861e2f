"""Doubts of what the decoder wrote: text on silence, repetition, an echo of its prompt, a weak language. Pure."""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from shared.documents.transcript import Segment
from shared.text.error_rates import ErrorRate
from shared.text.language import english_name
from shared.text.language_params import of_language
from shared.text.text_width import is_spaceless
from stages.asr.heard import Heard

_ECHO_WORDS = 2
_WEAK_PERCENT = 30.0  # to correct a third of all words or letters is more work than to type them

# `You` on 20 s of silence: log probability -0.8, so sure enough for Whisper's rule, but its word 0.08. Segments of
# real speech have 0.75 and more, at 0 dB too; where one had 0.16, Whisper was not above `no_speech_threshold`.
_UNSURE_WORDS = 0.3


@dataclass(frozen=True)
class Limits:
    """Above `no_speech`, a probability, and below `log_probability` a text is on silence; above `compression_ratio` it
    is a repetition."""

    no_speech: float
    log_probability: float
    compression_ratio: float


def judge(heard: Heard, segment: Segment, limits: Limits) -> tuple[bool, bool, dict[str, float]]:
    """Return whether a segment is likely to be text on silence, whether it is a repetition, and the evidence."""
    word_probability = sum(word.probability for word in segment.words) / len(segment.words)
    unsure = heard.average_log_probability < limits.log_probability or word_probability < _UNSURE_WORDS
    ratio = compression_ratio(segment.text)
    repetitive = ratio > limits.compression_ratio
    silent = heard.no_speech_probability > limits.no_speech and (unsure or repetitive)
    evidence = {
        "no_speech_probability": heard.no_speech_probability,
        "average_log_probability": heard.average_log_probability,
        "word_probability": word_probability,
        "compression_ratio": ratio,
    }
    return silent, repetitive, {name: round(value, 4) for name, value in evidence.items()}


def compression_ratio(text: str) -> float:
    """Return how well a text compresses: Whisper's measure of repetition."""
    content = text.encode()
    return len(content) / len(zlib.compress(content))


def echoes(text: str, prompt: str | None) -> bool:
    """Tell whether a sentence of two words or more is a part of the prompt.

    Whisper reads its prompt out where it does not understand what it hears: Spanish digits, repeated by a machine,
    became `Hola. ¿Cómo estás?`. Real speech with these words is recognised without the prompt.
    """
    said, shown = _plain(text), _plain(prompt or "")
    return len(said) >= _ECHO_WORDS and any(
        shown[at : at + len(said)] == said for at in range(len(shown) - len(said) + 1)
    )


def weaknesses(languages: Iterable[str], rates: Mapping[str, ErrorRate]) -> Iterator[str]:
    """Yield a warning of each language in which the model is known to be weak, by its published error rates."""
    for language in dict.fromkeys(languages):
        rate = of_language(rates, language, None)
        if rate and rate.percent >= _WEAK_PERCENT:
            yield (
                f"this model is known to be weak in {english_name(language)}, so expect many errors: its published"
                f" {rate.unit} error rate is {rate.percent:.0f} % ({rate.source})"
            )


def _plain(text: str) -> list[str]:
    letters = "".join(one if unicodedata.category(one)[0] in "LMN" else " " for one in text.casefold())
    words = letters.split()
    return list("".join(words)) if any(map(is_spaceless, "".join(words))) else words
