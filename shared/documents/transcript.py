"""Segments and words with times and speakers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.documents.base import Document, Frozen
from shared.documents.speech import Region


class Word(Frozen):
    """A word with its times. `text` carries no white space; `joined` says that no space stands before it.

    `interpolated` says that its times were not measured: they were placed between those of its neighbours.
    """

    text: str
    start_ms: int
    end_ms: int
    probability: float
    joined: bool = False
    interpolated: bool = False
    speaker: str | None = None


class Segment(Frozen):
    """A stretch of speech that the decoder returned as one. `words` is empty if the backend times only segments.

    `language` is set if it differs from the transcript's. `window` is set as long as the times of the segment are not
    measured: it was spoken somewhere in the window, like every other segment with the same window. `sung` says that it
    is singing. `origin` is set in a transcript of an existing subtitle: `read` from it, or `heard` where it has no cue.
    """

    id: int  # from 0, in order of time; a translation refers to it
    text: str
    start_ms: int
    end_ms: int
    words: tuple[Word, ...] = ()
    speaker: str | None = None
    average_log_probability: float = 0.0
    no_speech_probability: float = 0.0
    language: str | None = None
    window: Region | None = None
    sung: bool = False
    origin: Literal["read", "heard"] | None = Field(default=None, exclude_if=lambda origin: origin is None)


class Transcript(Document):
    """A transcript in order of time. `language` is BCP-47, `und` if there is no speech."""

    language: str
    language_probability: float
    duration_ms: int
    segments: tuple[Segment, ...]

    @property
    def text(self) -> str:
        """Return the plain text, one segment a line."""
        return "".join(f"{segment.text}\n" for segment in self.segments)
