"""The regions of speech, and measurements of the sound around them."""

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
        """Return the total length of speech."""
        return sum(region.end_ms - region.start_ms for region in self.regions)


class Separation(Document):
    """The decision whether to separate speech before it is transcribed, with the reason."""

    snr_db: float | None  # None: nothing to measure it by (no speech, or nothing but speech)
    applied: bool
    reason: str
