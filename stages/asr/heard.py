"""The text that a backend recognised, before it is placed in the audio."""

from __future__ import annotations

from dataclasses import dataclass

from shared.documents.speech import Region


@dataclass(frozen=True)
class HeardWord:
    """A word as the decoder gave it: `text` begins with a space where one stands before it."""

    text: str
    start_ms: int
    end_ms: int
    probability: float


@dataclass(frozen=True)
class Heard:
    """A segment as the decoder gave it. Times count from the beginning of the pack, as if it had no gaps.

    `window` is set by a backend that times no words: what of the audio was heard as a whole, sentence after sentence.
    """

    words: tuple[HeardWord, ...]
    average_log_probability: float
    no_speech_probability: float
    window: Region | None = None
