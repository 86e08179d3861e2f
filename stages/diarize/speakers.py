"""The turns as a backend finds them, before the speakers are named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class SpeakerTurn(NamedTuple):
    """A turn: times in ms, the speaker as a number of any kind."""

    start_ms: int
    end_ms: int
    speaker: int


class Speakers(NamedTuple):
    """The turns that a backend found. `exclusive` holds the same turns with one speaker at a time."""

    turns: Sequence[SpeakerTurn]
    exclusive: Sequence[SpeakerTurn] | None = None
