"""Subtitles as they stand on the screen."""

from __future__ import annotations

from shared.document import Document, Frozen


class Cue(Frozen):
    """One text on the screen, of one or two lines."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    speaker: str | None = None


class ReadCues(Frozen):
    """A subtitle file's cues, in its own order, and what was wrong with it that could be put right."""

    cues: tuple[Cue, ...]
    repairs: tuple[str, ...] = ()


class CueSheet(Document):
    """The cues of one subtitle track: in order of time, without overlap. `language` is BCP-47."""

    language: str
    cues: tuple[Cue, ...]
