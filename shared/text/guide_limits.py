"""The limits of a subtitling guide, as parameters of the stages that lay out and check subtitles.

`config/guides` holds the guides with their sources; the orchestrator passes the chosen one to these stages. The
defaults here are those of `netflix` for a language that it does not name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydantic import Field

from shared.stage import Params
from shared.text.language_params import entry_for


@dataclass(frozen=True)
class Limits:
    """The limits for a cue in one language and at one frame rate. Lengths in places, see
    `shared.text.text_width`."""

    line_length: int
    lines: int
    reading_speed: float
    min_duration_ms: int
    max_duration_ms: int
    gap_ms: int
    chain_below_ms: int
    shot_zone_ms: int


class ReadingParams(Params):
    """The reading speeds of a guide, in places: see `shared.text.text_width`."""

    reading_speed: float = Field(
        17.0, gt=0, description="places read in a second, in a language not named in `reading_speeds`"
    )
    reading_speeds: dict[str, float] = Field({}, description="places read in a second, by language")

    def reading_speed_in(self, language: str) -> float:
        """Return the reading speed in a language (BCP-47)."""
        return entry_for(self.reading_speeds, language, self.reading_speed)


class GuideParams(ReadingParams):
    """A guide's limits. Lengths are in places."""

    line_length: int = Field(42, ge=10, description="places in a line, in a language not named in `line_lengths`")
    line_lengths: dict[str, int] = Field({}, description="places in a line, by language")
    lines: int = Field(2, ge=1, le=3, description="lines in a cue")
    min_duration_ms: int = Field(834, ge=1, description="shortest time of a cue")
    max_duration_ms: int = Field(7000, ge=1000, description="longest time of a cue")
    gap_frames: int = Field(2, ge=0, description="fewest frames between two cues")
    chain_below_ms: int = Field(
        500, ge=0, description="a gap shorter than this is closed to the smallest one; 0: gaps stay as they are"
    )
    write_out_numbers: bool = Field(True, description="numbers whose words are known in the language are written out")
    shot_zone_frames: int = Field(
        12,
        ge=0,
        description="a cue within this many frames of a shot change moves to it; 0: cues do not move",
    )
    frame_rate: float = Field(24.0, gt=0, description="frames a second, if the media file does not state it")

    def limits(self, language: str, frame_rate: float | None = None) -> Limits:
        """Return the limits for a language (BCP-47) and a frame rate. An entry for the tag with its script or region
        goes before one for the language."""
        return Limits(
            line_length=max(entry_for(self.line_lengths, language, self.line_length), 2),
            lines=self.lines,
            reading_speed=self.reading_speed_in(language),
            min_duration_ms=min(self.min_duration_ms, self.max_duration_ms),
            max_duration_ms=self.max_duration_ms,
            gap_ms=math.ceil(self.gap_frames * 1000 / (frame_rate or self.frame_rate)),
            chain_below_ms=self.chain_below_ms,
            shot_zone_ms=round(self.shot_zone_frames * 1000 / (frame_rate or self.frame_rate)),
        )
