"""Read a subtitle file and check its cues by the project's own rules: the engine of stage `check`."""

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


class SubtitleChecker:
    """The engine, without state."""

    def read(self, subtitles: Path) -> ReadCues:
        """See `stages.toolkit.formats.reader.read`."""
        return read(subtitles)

    def film(self, media: Path) -> Film:
        """Return the end and the frame rate of a media file."""
        from stages.toolkit.media.probe import probe  # PyAV takes a third of a second, and most checks have no media

        found = probe(media)
        pictures = [track for track in found.tracks if track.kind == "video" and not track.cover]
        rate = next((track.frame_rate for track in pictures if track.frame_rate), None)
        return Film(None if found.length_is_guessed else found.duration_ms, rate)

    def check(self, cues: Sequence[Cue], language: str, limits: Limits, end_ms: int | None) -> QualityReport:
        """See `stages.toolkit.cues.rules.check`."""
        return check(cues, language, limits, end_ms)


def load(models: Mapping[str, Path], device: Device) -> SubtitleChecker:
    """Return the engine; there is no model to load."""
    return SubtitleChecker()
