"""Corrections of single places in a text, each with the time and the words that it was made for."""

from __future__ import annotations

from shared.documents.base import Document, Frozen
from shared.documents.cue import Cue


class Pin(Frozen):
    """One change that a user made: the cues `before` became `cues`.

    `id` names the change by its content. `correction` is the place of the corrected file among those that were given.
    A corrected segment of a transcript stands as a cue of one line. `spoken` of a cue is the time of its words in the
    corrected text. A `fixed` pin keeps lines and times as the user set them; of another the words alone count.
    `source` is the sentence that a corrected translation was made for, `source_now` the present one if that differs.
    """

    id: str
    correction: int
    before: tuple[Cue, ...]
    cues: tuple[Cue, ...]
    fixed: bool = False
    source: str | None = None
    source_now: str | None = None


class Pins(Document):
    """The pins of one text, in order of time."""

    pins: tuple[Pin, ...] = ()
