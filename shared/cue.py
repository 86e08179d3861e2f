"""Subtitles as they stand on the screen."""

from __future__ import annotations

from shared.document import Document, Frozen
from shared.speech import Region


class Cue(Frozen):
    """One text on the screen, of one or two lines.

    `spoken` is when its words are heard: `start_ms` and `end_ms` differ from it where reading or a change of shot wants
    it. `italic` is how a cue of nothing but singing may be shown.
    """

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    speaker: str | None = None
    spoken: Region | None = None
    italic: bool = False


class CueSheet(Document):
    """The cues of one subtitle track: in order of time, without overlap. `language` is BCP-47."""

    language: str
    cues: tuple[Cue, ...]
