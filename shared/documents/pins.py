"""The user's corrections of single places in a text, each with the time and the words for which it was made."""

from __future__ import annotations

from shared.documents.base import Document, Frozen
from shared.documents.cue import Cue


class Pin(Frozen):
    """One change that a user made: the cues `before` became `cues`.

    `id` is a digest of the change. `correction` is the index of the corrected file in the input. A corrected segment of
    a transcript is a cue of one line. `spoken` of a cue is the time of its words in the corrected text. A `fixed` pin
    keeps the user's lines and times; of any other pin, only the words count. `source` is the sentence of which the user
    corrected the translation, `source_now` the present sentence if it differs.
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
