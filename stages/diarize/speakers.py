"""Turns as a backend returns them, before the speakers are named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class SpeakerTurn(NamedTuple):
    """A turn: times in ms, and any number for the speaker."""

    start_ms: int
    end_ms: int
    speaker: int


class Speakers(NamedTuple):
    """The turns of a backend, which may overlap. `exclusive` has one speaker at a time; None if the backend finds no
    overlaps."""

    turns: Sequence[SpeakerTurn]
    exclusive: Sequence[SpeakerTurn] | None = None
