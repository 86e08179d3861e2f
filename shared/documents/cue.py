"""Subtitles as they stand on the screen."""

from __future__ import annotations

from typing import Literal

from shared.documents.base import Document, Frozen
from shared.documents.speech import Region


class Cue(Frozen):
    """One text on the screen, of one or two lines.

    `spoken` is when its words are heard, which `start_ms` and `end_ms` are off from where reading needs it; None for a
    cue from another hand.
    """

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    speaker: str | None = None
    italic: bool = False
    spoken: Region | None = None


class ReadCues(Frozen):
    """A subtitle file's cues, in its own order, and what was wrong with it that could be put right."""

    cues: tuple[Cue, ...]
    repairs: tuple[str, ...] = ()


Kind = Literal["full", "sdh", "forced"]
"""What a subtitle is for: all that is said, that and sounds for hearing impaired viewers, or what all must be shown."""


class CueSheet(Document):
    """The cues of one subtitle track: in order of time, without overlap. `language` is BCP-47."""

    language: str
    kind: Kind = "full"
    cues: tuple[Cue, ...]
