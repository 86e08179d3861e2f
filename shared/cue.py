"""Subtitles as they stand on the screen."""

from __future__ import annotations

from shared.document import Document, Frozen


class Cue(Frozen):
    """One text on the screen, of one or two lines."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    speaker: str | None = None


class CueSheet(Document):
    """The cues of one subtitle track: in order of time, without overlap. `language` is BCP-47."""

    language: str
    cues: tuple[Cue, ...]
