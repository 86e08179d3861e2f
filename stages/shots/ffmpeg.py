"""Measure how much each picture differs from the one before it, with ffmpeg's `scdet` filter on a small copy.

The score is the mean difference of all pixels less that of the picture before, so steady movement does not count. The
deblocking filter is left out: it takes a quarter of the decoding, and has no visible effect in so small a copy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from shared.documents.media import Media, Track
from shared.stage import Device, StageError
from stages.shots.stage import Difference, Differences
from stages.toolkit.media import ffmpeg

_HEIGHT = 90  # pixels
_LEAST_PERCENT = 1.0  # most differences are smaller, and these change no decision
_SCORES = "scores.txt"
_TIME = re.compile(r"pts_time:(-?[0-9.]+)")
_SCORE = "lavfi.scd.score="


class FfmpegShots:
    """The engine, with the path of the program."""

    def __init__(self, program: str) -> None:
        self._program = program

    def compare_pictures(
        self, media: Path, info: Media, picture: Track, folder: Path, progress: Callable[[float], None]
    ) -> Differences:
        """Return the differences of all pictures. Damaged parts are skipped, as a player does. Raises `StageError` if
        ffmpeg is killed or the disk is full."""
        scores = folder / _SCORES
        try:
            ended = ffmpeg.run(
                self._program, _arguments(media, info, picture), duration_ms=info.duration_ms, progress=progress,
                folder=folder,
            )  # fmt: skip
            if ended.no_space:
                raise StageError(
                    "shots.no-space",
                    f"{folder}: expected room for a list of scores, found a full disk",
                    hint="free some space, or skip shot changes: `--set shots.when=never`",
                )
            if ended.status < 0:
                raise StageError("shots.killed", f"signal {-ended.status} ended ffmpeg; the file is not the cause")
            complaint = None if ended.status == 0 else ended.reason()
            return Differences(list(_read(scores)) if scores.exists() else [], complaint)
        finally:
            scores.unlink(missing_ok=True)


def load(models: Mapping[str, Path], device: Device) -> FfmpegShots:
    """Return the engine; there is no model to load."""
    return FfmpegShots(ffmpeg.find_ffmpeg())


def _arguments(media: Path, info: Media, picture: Track) -> list[str]:
    """Return ffmpeg's arguments for one pass over the picture."""
    filters = [
        f"scale=-2:{_HEIGHT}:flags=fast_bilinear",
        "scdet=threshold=100",
        f"metadata=mode=select:key=lavfi.scd.score:value={_LEAST_PERCENT}:function=greater",
        f"metadata=mode=print:key=lavfi.scd.score:file={_SCORES}",
    ]
    arguments = [*ffmpeg.reading(media, "-threads", "1", "-skip_loop_filter", "all"), "-map", f"0:{picture.index}"]
    arguments += ["-vf", ",".join(filters), "-fps_mode", "passthrough", "-f", "null", "-"]
    return arguments + ffmpeg.keeping_clock(info, picture)


def _read(scores: Path) -> Iterator[Difference]:
    """Yield the scores from the output of the `metadata` filter: a line with the time, then one with the value."""
    time_ms = 0
    with scores.open(encoding="utf-8") as lines:
        for line in lines:
            if found := _TIME.search(line):
                time_ms = round(float(found[1]) * 1000)
            elif line.startswith(_SCORE):
                yield Difference(time_ms, float(line.removeprefix(_SCORE)))
