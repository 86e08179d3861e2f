"""The parts that were removed from a transcript, with the evidence; and the sound labels for deaf viewers."""

from __future__ import annotations

from typing import Literal

from shared.documents.base import Document, Frozen

Reason = Literal[
    "no-speech", "repetitive", "loop", "stock-phrase", "unheard", "doubted", "too-fast", "other-script", "description",
    "filler",
]  # fmt: skip
"""The reason for a removal: by stage `asr`, because the decoder heard no speech and doubted its words, or because it
repeats itself inside, also when it was heard again; by stage `clean`: one that repeats itself inside a word; repeated
without end; a phrase that recognisers
invent, without speech; text without speech; text that the decoder itself doubts in every way; more text than a mouth
can say in its time; text in the script of another language; what is heard instead of what is said; a filler, by
choice."""

Heard = Literal["music", "described"]


class Removal(Frozen):
    """A text that was taken out. `evidence` holds the numbers that decided: shares of its time and probabilities, 0 to
    1; for a loop how often it came; for what is too fast its letters in a second; of a decoder also its log probability
    and how well the text compresses."""

    start_ms: int
    end_ms: int
    text: str
    reason: Reason
    evidence: dict[str, float] = {}


class Removals(Document):
    """All removed texts, in order of time."""

    removals: tuple[Removal, ...]


class Label(Frozen):
    """A sound to report: music, or what the recogniser described in words, which `text` then holds."""

    start_ms: int
    end_ms: int
    heard: Heard
    text: str = ""


class Labels(Document):
    """Return the sounds to report, in order of time, without those during speech or singing."""

    labels: tuple[Label, ...]
