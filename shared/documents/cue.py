"""Subtitles as they stand on the screen."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.documents.base import Document, Frozen
from shared.documents.speech import Region


class Style(Frozen):
    """The look of letters; `colour` is `#rrggbb`, None for the colour that the player or the speaker gives."""

    italic: bool = False
    bold: bool = False
    underline: bool = False
    colour: str | None = Field(default=None, pattern=r"^#[0-9a-f]{6}$")


class Span(Frozen):
    """Letters with a look of their own: those from `start` to before `end` of a cue's line number `line`."""

    line: int
    start: int
    end: int
    style: Style


class Place(Frozen):
    """A place on the picture: `anchor` as on a number pad, 2 at the foot, 8 at the head. `at` is the exact point of it
    in ten-thousandths of the picture's width and height; such a cue is a sign, which stands where it stands."""

    anchor: int = Field(ge=1, le=9)
    at: tuple[int, int] | None = None


class Cue(Frozen):
    """One text on the screen, of one or two lines.

    `spoken` is when its words are heard, which `start_ms` and `end_ms` are off from where reading needs it; None for a
    cue from another hand. `lines` are text without markup. `italic` says how all of it looks, `spans` how parts of it
    look beside that, in order and without overlap; `place` is where it stands, None for the foot of the picture.
    """

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    speaker: str | None = None
    italic: bool = False
    spoken: Region | None = None
    spans: tuple[Span, ...] = Field(default=(), exclude_if=lambda spans: not spans)
    place: Place | None = Field(default=None, exclude_if=lambda place: place is None)


class ReadCues(Frozen):
    """A subtitle file's cues, in its own order, what was wrong with it that could be put right, and which markup has no
    place in a cue. `format` is a file name's suffix without its dot."""

    cues: tuple[Cue, ...]
    repairs: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    format: str = ""


Kind = Literal["full", "sdh", "forced"]
"""The purpose of a subtitle: all dialogue, dialogue and sounds for hearing impaired viewers, or forced text."""


class KeptCue(Frozen):
    """A cue of an existing subtitle, which keeps its times. `segments` are those of the transcript that its words
    became, in order: none for a sound."""

    cue: Cue
    segments: tuple[int, ...] = ()


class KeptCues(Document):
    """The cues of an existing subtitle in order of time; they may overlap."""

    language: str
    kind: Kind = "full"
    cues: tuple[KeptCue, ...]


class CueSheet(Document):
    """The cues of one subtitle track: in order of time, without overlap. `language` is BCP-47."""

    language: str
    kind: Kind = "full"
    cues: tuple[Cue, ...]
