"""Where somebody speaks, and what was measured of the sound around it."""

from __future__ import annotations

from shared.documents.base import Document, Frozen


class Region(Frozen):
    """A stretch of speech, `start_ms` inclusive, `end_ms` exclusive."""

    start_ms: int
    end_ms: int


class SpeechRegions(Document):
    """The speech regions of one audio file: in order, without overlap, inside `duration_ms`."""

    duration_ms: int
    regions: tuple[Region, ...]

    @property
    def speech_ms(self) -> int:
        """How much speech there is in all."""
        return sum(region.end_ms - region.start_ms for region in self.regions)


class Separation(Document):
    """Whether speech was separated from the rest before it was transcribed, and why."""

    snr_db: float | None  # None: nothing to measure it by (no speech, or nothing but speech)
    applied: bool
    reason: str
