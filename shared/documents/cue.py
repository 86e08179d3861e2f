"""Subtitles as they are shown on the screen."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.documents.base import Document, Frozen
from shared.documents.speech import Region


class Style(Frozen):
    """The style of letters. `colour` is `#rrggbb`, or None for the colour that the player or the speaker gives."""

    italic: bool = False
    bold: bool = False
    underline: bool = False
    colour: str | None = Field(default=None, pattern=r"^#[0-9a-f]{6}$")


class Span(Frozen):
    """A styled part of a cue: the characters from `start` to before `end` of its line number `line`, from 0."""

    line: int
    start: int
    end: int
    style: Style


class Place(Frozen):
    """A place on the picture. `anchor` is as on a number pad: 2 at the bottom, 8 at the top. `at` is the exact point of
    the anchor, in ten-thousandths of the picture's width and height; a cue with it translates a sign, and is not moved.
    """

    anchor: int = Field(ge=1, le=9)
    at: tuple[int, int] | None = None


class Cue(Frozen):
    """One text on the screen, of one or two lines.

    `spoken` is the time of its words, from which `start_ms` and `end_ms` differ if reading needs more time; None for a
    cue that was not made by reel. `lines` are text without markup. `italic` is the style of the whole cue, `spans` are
    the styles of parts of it, in order and without overlap. `place` is None at the bottom of the picture.
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
    """The cues of a subtitle file in its own order, the mistakes in it that were repaired, and the markup that a cue
    cannot hold. `format` is the suffix of the file's name without its dot."""

    cues: tuple[Cue, ...]
    repairs: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    format: str = ""


Kind = Literal["full", "sdh", "forced"]
"""The purpose of a subtitle: all dialogue, dialogue and sounds for hearing impaired viewers, or forced text."""


class KeptCue(Frozen):
    """A cue of an existing subtitle, which keeps its times. `segments` are the ids of the segments of the transcript
    that hold its words, in order; a sound has none."""

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
