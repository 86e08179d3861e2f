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
    """A stretch that the decoder gave as one. `words` may be empty where a backend times segments only.

    `language` is set where it is another than the transcript's. `window` is set as long as no time of the segment was
    measured: it was said somewhere in there, and so was every other segment with the same window. `sung`: it was
    heard as singing. `origin` is set in a transcript of an existing subtitle: `read` there, or `heard` where it has
    no cue.
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
        """The plain text, one segment a line."""
        return "".join(f"{segment.text}\n" for segment in self.segments)
