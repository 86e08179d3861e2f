"""How much each picture differs from the one before it, by ffmpeg's `scdet` filter on a small copy.

The score is the mean difference of all pixels, less what it was one picture earlier, so steady movement does not
count. The deblocking filter is left out: it costs a quarter of the decoding and cannot be seen in so small a copy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from shared.documents.media import Media, Track
from shared.stage import Device, StageError
from stages.shots.stage import Difference, Looked
from stages.toolkit.media import ffmpeg

_HEIGHT = 90
_LEAST_PERCENT = 1.0  # a smaller difference changes no decision, and most of them are smaller
_SCORES = "scores.txt"
_TIME = re.compile(r"pts_time:(-?[0-9.]+)")
_SCORE = "lavfi.scd.score="


class FfmpegShots:
    """The engine: holds nothing but the program's path."""

    def __init__(self, program: str) -> None:
        self._program = program

    def look(self, media: Path, info: Media, picture: Track, folder: Path, progress: Callable[[float], None]) -> Looked:
        """Decode every picture once. Damage inside is passed over, as a player does."""
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
            return Looked(list(_read(scores)) if scores.exists() else [], complaint)
        finally:
            scores.unlink(missing_ok=True)


def load(models: Mapping[str, Path], device: Device) -> FfmpegShots:
    """Return the engine; there is no model."""
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
    """Yield the scores in the form that the `metadata` filter prints: a line with the time, then one with the value."""
    time_ms = 0
    with scores.open(encoding="utf-8") as lines:
        for line in lines:
            if found := _TIME.search(line):
                time_ms = round(float(found[1]) * 1000)
            elif line.startswith(_SCORE):
                yield Difference(time_ms, float(line.removeprefix(_SCORE)))
