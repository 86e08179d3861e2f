"""Writes a Matroska file with ffmpeg: the media's tracks by stream copy, new subtitles and covers beside them.

ffmpeg moves the media's clock so that its presentation begins at 0, which is where the subtitles' clock begins too.
Covers go in as attachments: as ffmpeg copies them, older versions make a second video track of each.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from shared.media import Track
from shared.stage import Device, StageError
from stages.backends import ffmpeg
from stages.mux import COPY, Cover, Parts

# Words of the old container about itself; in the new one they would be false.
_STALE_TAGS = ("major_brand", "minor_version", "compatible_brands")
_COUNTED = {"audio": "-frames:a", "video": "-frames:v", "subtitle": "-frames:s"}
# Old AVI files carry no presentation times, and Matroska refuses a packet without one.
_GENERATE_TIMES = ("-fflags", "+genpts")


class FfmpegMux:
    """The engine: holds nothing but the program's path."""

    def __init__(self, program: str) -> None:
        self._program = program

    def holds(self, media: Path, track: Track, codec: str) -> bool:
        """Whether Matroska takes the track, tried out on its first packet."""
        if track.kind not in _COUNTED:
            return False
        trial = ["-map", f"0:{track.index}", "-c", codec, _COUNTED[track.kind], "1", "-f", "matroska", os.devnull]
        return ffmpeg.run(self._program, [*ffmpeg.reading(media, *_GENERATE_TIMES), *trial]).status == 0

    def write(self, parts: Parts, progress: Callable[[float], None]) -> None:
        """Write the new file, whole or not at all."""
        pictures = [parts.target.with_name(f"between-{cover.file_name}") for cover in parts.covers]
        try:
            for cover, picture in zip(parts.covers, pictures, strict=True):
                self._take_cover(parts, cover, picture)
            self._check(
                ffmpeg.run(
                    self._program,
                    mux_arguments(parts, pictures),
                    duration_ms=parts.duration_ms,
                    progress=progress,
                ),
                parts,
            )
        finally:
            for picture in pictures:
                picture.unlink(missing_ok=True)

    def _take_cover(self, parts: Parts, cover: Cover, picture: Path) -> None:
        chosen = ["-map", f"0:{cover.index}", "-c", COPY, "-frames:v", "1", "-f", "image2pipe", ffmpeg.address(picture)]
        self._check(ffmpeg.run(self._program, [*ffmpeg.reading(parts.media), *chosen]), parts)

    def _check(self, ended: ffmpeg.Ended, parts: Parts) -> None:
        if ended.no_space:
            raise StageError(
                "mux.no-space",
                f"{parts.target.parent}: expected room for a copy of {parts.media}, found a full disk",
                hint="free some space, or leave the mux stage out of the recipe",
            )
        if ended.status != 0:
            raise StageError(
                "mux.failed",
                f"{parts.media}: expected to copy its tracks into a Matroska file, but: {ended.reason()}",
                hint="the subtitle files are good without it; leave the mux stage out of the recipe",
            )


def load(models: Mapping[str, Path], device: Device) -> FfmpegMux:
    """The engine; there is no model."""
    return FfmpegMux(ffmpeg.find_ffmpeg())


def mux_arguments(parts: Parts, pictures: list[Path]) -> list[str]:
    """The arguments that write the new file; the media's tracks come first, then the new ones."""
    arguments = ffmpeg.reading(parts.media, *_GENERATE_TIMES)
    for subtitle in parts.subtitles:
        arguments += ["-protocol_whitelist", ffmpeg.PROTOCOLS, "-f", "srt", "-i", ffmpeg.address(subtitle.path)]
    for kept in parts.kept:
        arguments += ["-map", f"0:{kept.index}"]
    for number in range(len(parts.subtitles)):
        arguments += ["-map", f"{number + 1}:0"]
    arguments += ["-map_metadata", "0", "-map_chapters", "0"]
    for position, codec in enumerate([kept.codec for kept in parts.kept] + [COPY] * len(parts.subtitles)):
        arguments += [f"-c:{position}", codec]
    for position, subtitle in enumerate(parts.subtitles, start=len(parts.kept)):
        arguments += [f"-metadata:s:{position}", f"language={subtitle.language}"]
        arguments += [f"-metadata:s:{position}", f"title={subtitle.title}"]
        arguments += [f"-disposition:{position}", "default" if subtitle.default else "0"]
    first = len(parts.kept) + len(parts.subtitles)
    for position, (cover, picture) in enumerate(zip(parts.covers, pictures, strict=True), start=first):
        arguments += ["-attach", str(picture.absolute())]
        arguments += [f"-metadata:s:{position}", f"filename={cover.file_name}"]
        arguments += [f"-metadata:s:{position}", f"mimetype={cover.mime_type}"]
    for tag in _STALE_TAGS:
        arguments += ["-metadata", f"{tag}="]
    # bitexact: no date, no random segment id, no version of the writer; the same input gives the same bytes.
    # passthrough: tracks without a default flag stay without one.
    exact = ["-bitexact", "-fflags", "+bitexact", "-default_mode", "passthrough"]
    return [*arguments, *exact, "-f", "matroska", ffmpeg.address(parts.target)]
