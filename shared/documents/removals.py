"""The parts that were removed from a transcript, with the evidence, and the sound labels for deaf viewers."""

from __future__ import annotations

from typing import Literal

from shared.documents.base import Document, Frozen

Reason = Literal[
    "no-speech", "repetitive", "loop", "stock-phrase", "unheard", "doubted", "too-fast", "other-script", "description",
    "filler",
]  # fmt: skip
"""The reason for a removal.

By stage `asr`: `no-speech`, the decoder heard no speech and doubted its words; `repetitive`, a segment that repeats
itself, even when it was decoded again. By stage `clean`: `repetitive`, a word that repeats itself; `loop`, segments
that repeat each other; `stock-phrase`, a phrase that recognisers invent, without speech; `unheard`, any text without
speech; `doubted`, a text that the decoder doubts by every measure; `too-fast`, more text than can be spoken in its
time; `other-script`, text in the script of another language; `description`, a sound described in words; `filler`, a
sound of hesitation, if the user wants.
"""

Heard = Literal["music", "described"]


class Removal(Frozen):
    """A text that was removed. `evidence` holds the numbers that decided: shares of its time and probabilities from 0
    to 1, the number of repetitions of a loop, the letters in a second of a text that is too fast, and of a decoder its
    log probability and how well the text compresses."""

    start_ms: int
    end_ms: int
    text: str
    reason: Reason
    evidence: dict[str, float] = {}


class Removals(Document):
    """All removed texts, in order of time."""

    removals: tuple[Removal, ...]


class Label(Frozen):
    """A sound to report: music, or a sound that the recogniser described as `text`."""

    start_ms: int
    end_ms: int
    heard: Heard
    text: str = ""


class Labels(Document):
    """The sounds to report, in order of time, without those during speech or singing."""

    labels: tuple[Label, ...]
