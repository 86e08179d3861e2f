"""The engine of stage `check`: any subtitle file read, and measured by the project's own rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.documents.cue import Cue, ReadCues
from shared.documents.quality_report import QualityReport
from shared.stage import Device
from shared.text.guide_limits import Limits
from stages.check.stage import Film
from stages.toolkit.cues.rules import check
from stages.toolkit.formats.reader import read


class Pysubs2Reader:
    """Reads files and checks cues; holds nothing."""

    def read(self, subtitles: Path) -> ReadCues:
        """See `stages.toolkit.formats.reader.read`."""
        return read(subtitles)

    def film(self, media: Path) -> Film:
        """Return the media's end and frame rate."""
        from stages.toolkit.media.probe import probe  # PyAV takes a third of a second, which most checks can do without

        found = probe(media)
        pictures = [track for track in found.tracks if track.kind == "video" and not track.cover]
        rate = next((track.frame_rate for track in pictures if track.frame_rate), None)
        return Film(None if found.length_is_guessed else found.duration_ms, rate)

    def check(self, cues: Sequence[Cue], language: str, limits: Limits, end_ms: int | None) -> QualityReport:
        """See `stages.toolkit.cues.rules.check`."""
        return check(cues, language, limits, end_ms)


def load(models: Mapping[str, Path], device: Device) -> Pysubs2Reader:
    """Do nothing: this backend has no model."""
    return Pysubs2Reader()
