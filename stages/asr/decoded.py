"""Segments and words as a backend decodes them, before they are placed in the audio."""

from __future__ import annotations

from dataclasses import dataclass

from shared.documents.speech import Region


@dataclass(frozen=True)
class DecodedWord:
    """A word as the decoder gives it. `text` begins with a space if there is one before the word. Times count as in
    `DecodedSegment`."""

    text: str
    start_ms: int
    end_ms: int
    probability: float


@dataclass(frozen=True)
class DecodedSegment:
    """A segment as the decoder gives it. Times count from the beginning of the pack, as if it had no gaps.

    `window` is set by a backend that times no words: the stretch of the audio that was decoded as a whole.
    """

    words: tuple[DecodedWord, ...]
    average_log_probability: float
    no_speech_probability: float
    window: Region | None = None
