"""Write a film with ffmpeg: the media's tracks by stream copy, with new subtitles and covers.

ffmpeg moves the media's clock so that its presentation begins at 0, like the clock of the subtitles. Covers are
attached as files: copied as tracks, older versions of ffmpeg make a second video track of each.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from shared.documents.media import Track
from shared.files import write_atomically
from shared.stage import Device, StageError
from stages.mux import burn_in
from stages.mux.stage import COPY, ENCODED, Container, Cover, NewSubtitle, Parts
from stages.toolkit.formats.writer import lost, render
from stages.toolkit.media import ffmpeg

# Tags of the old container about itself, which would be false in the new one.
_STALE_TAGS = ("major_brand", "minor_version", "compatible_brands")
_COUNTED = {"audio": "-frames:a", "video": "-frames:v", "subtitle": "-frames:s"}
# Old AVI files carry no presentation times, and Matroska refuses a packet without one.
_GENERATE_TIMES = ("-fflags", "+genpts")


_FORMATS: dict[Container, str] = {"mkv": "matroska", "mp4": "mp4"}
_TEXT_CODECS: dict[Container, str] = {"mkv": COPY, "mp4": "mov_text"}
_FLAGS = {"full": "", "sdh": "+hearing_impaired", "forced": "+forced"}
_NO_FONT = "no font of this machine has some letters of the burnt-in subtitles; install one that has them"
_NO_GLYPH = re.compile(r"failed to find any fallback with glyph|no fonts? (found|available)", re.IGNORECASE)


class FfmpegMux:
    """The engine, with the path of the program."""

    def __init__(self, program: str) -> None:
        self._program = program

    def holds(self, media: Path, track: Track, codec: str, container: Container) -> bool:
        """Tell whether the container can hold the track, by a trial with its first packet."""
        if track.kind not in _COUNTED:
            return False
        chosen = ["-map", f"0:{track.index}", "-c", codec, _COUNTED[track.kind], "1"]
        trial = [*ffmpeg.reading(media, *_GENERATE_TIMES), *chosen, "-f", _FORMATS[container]]
        # MP4 is written with seeking, which the null device does not support.
        movable = ["-movflags", "frag_keyframe+empty_moov"] if container == "mp4" else []
        return ffmpeg.run(self._program, [*trial, *movable, os.devnull]).status == 0

    def write(self, parts: Parts, progress: Callable[[float], None]) -> tuple[str, ...]:
        """Write the new file, and return warnings for the user. Raises `StageError` if it cannot be written."""
        folder = parts.target.parent
        pictures = [folder / f"between-{cover.file_name}" for cover in parts.covers]
        texts = [folder / f"between-{number}.srt" for number in range(len(parts.subtitles))]
        drawn = folder / burn_in.DRAWN_FILE
        ffmpeg.require_media("mux.gone", parts.media)
        try:
            for cover, picture in zip(parts.covers, pictures, strict=True):
                self._take_cover(parts, cover, picture)
            for subtitle, text in zip(parts.subtitles, texts, strict=True):
                write_atomically(text, render(subtitle.sheet, "srt").encode())
            if parts.burnt and parts.picture:
                self._check_abilities(parts.picture)
                script = burn_in.with_font(render(parts.burnt, "ass", parts.picture.aspect), parts.burnt.language)
                write_atomically(drawn, burn_in.dim_colours(script, parts.picture.hdr).encode())
            ended = ffmpeg.run(
                self._program,
                mux_arguments(parts, pictures, texts),
                duration_ms=parts.duration_ms,
                progress=progress,
                find=_NO_GLYPH,
                folder=folder,
            )
            self._check(ended, parts)
        finally:
            for made in (*pictures, *texts, drawn):
                made.unlink(missing_ok=True)
        return (*_lost(parts), *([_NO_FONT] if ended.found else []))

    def length_ms(self, video: Path) -> int | None:
        """Return the length of a film according to its container."""
        return ffmpeg.length_ms(self._program, video)

    def _check_abilities(self, picture: Track) -> None:
        encoder = burn_in.encoding_of(picture).encoder
        if not ffmpeg.has_filter(self._program, burn_in.DRAW_FILTER):
            raise StageError(
                "mux.no-libass",
                f"burning in needs an ffmpeg that was built with libass, and {ffmpeg.named(self._program)} was not",
                hint=ffmpeg.OTHER,
            )
        if not ffmpeg.has_encoder(self._program, encoder):
            raise StageError(
                "mux.no-encoder",
                f"burning in needs an ffmpeg that was built with {encoder}, and {ffmpeg.named(self._program)} was not",
                hint=ffmpeg.OTHER,
            )

    def _take_cover(self, parts: Parts, cover: Cover, picture: Path) -> None:
        chosen = ["-map", f"0:{cover.index}", "-c", COPY, "-frames:v", "1", "-f", "image2pipe", ffmpeg.address(picture)]
        self._check(ffmpeg.run(self._program, [*ffmpeg.reading(parts.media), *chosen]), parts)

    def _check(self, ended: ffmpeg.Ended, parts: Parts) -> None:
        if ended.no_space:
            raise StageError(
                "mux.no-space",
                f"{parts.target.parent}: expected room for a copy of {parts.media}, found a full disk",
                hint="free some space, or make no copy of the film: `--no-film`",
            )
        if ended.status != 0:
            ffmpeg.require_media("mux.gone", parts.media)
            raise StageError(
                "mux.failed",
                f"{parts.media}: expected a film, and {ffmpeg.named(self._program)} cannot write it: {ended.reason()}",
                hint=f"the subtitle files do not need the film (`--no-film`); or {ffmpeg.OTHER}",
            )


def load(models: Mapping[str, Path], device: Device) -> FfmpegMux:
    """Return the engine; there is no model to load."""
    return FfmpegMux(ffmpeg.find_ffmpeg())


def _lost(parts: Parts) -> Iterator[str]:
    """Yield a warning for each new track with styles that the container's text format cannot hold."""
    for subtitle in parts.subtitles:
        if missing := lost(subtitle.sheet, parts.container):
            yield f"the track {subtitle.title} goes without {missing}: its kind of text cannot hold them"


def mux_arguments(parts: Parts, pictures: list[Path], texts: list[Path]) -> list[str]:
    """Return the arguments that write the new file, with the media's tracks first.

    The file to draw is in the working folder of ffmpeg. So no name of a user's file occurs in a filter graph, in which
    quotes, colons, commas and brackets have a meaning.
    """
    arguments = ffmpeg.reading(parts.media, *_GENERATE_TIMES)
    for text in texts:
        arguments += ["-protocol_whitelist", ffmpeg.PROTOCOLS, "-f", "srt", "-i", ffmpeg.address(text)]
    if parts.burnt and parts.picture:
        arguments += ["-filter_complex", f"[0:{parts.picture.index}]{burn_in.draw_filters(parts.picture)}[picture]"]
    for kept in parts.kept:
        arguments += ["-map", "[picture]" if kept.codec == ENCODED else f"0:{kept.index}"]
    for number in range(len(texts)):
        arguments += ["-map", f"{number + 1}:0"]
    arguments += ["-map_metadata", "0", "-map_chapters", "0"]
    added = [_TEXT_CODECS[parts.container]] * len(texts)
    for position, codec in enumerate([kept.codec for kept in parts.kept] + added):
        arguments += _encoding_arguments(position, parts) if codec == ENCODED else [f"-c:{position}", codec]
    for position, subtitle in enumerate(parts.subtitles, start=len(parts.kept)):
        arguments += _track_arguments(position, subtitle, parts.container)
    first = len(parts.kept) + len(parts.subtitles)
    for position, (cover, picture) in enumerate(zip(parts.covers, pictures, strict=True), start=first):
        arguments += ["-attach", str(picture.absolute())]
        arguments += [f"-metadata:s:{position}", f"filename={cover.file_name}"]
        arguments += [f"-metadata:s:{position}", f"mimetype={cover.mime_type}"]
    for tag in _STALE_TAGS:
        arguments += ["-metadata", f"{tag}="]
    # bitexact: no date, no random segment id and no version of the writer, so the same input gives the same bytes.
    arguments += ["-bitexact", "-fflags", "+bitexact"]
    # passthrough: tracks without a default flag stay without one. faststart: playing can begin during the download.
    arguments += ["-default_mode", "passthrough"] if parts.container == "mkv" else ["-movflags", "+faststart"]
    arguments += ["-t", f"{parts.ends_ms / 1000:.3f}"] if parts.ends_ms else []
    return [*arguments, "-f", _FORMATS[parts.container], ffmpeg.address(parts.target)]


def _encoding_arguments(position: int, parts: Parts) -> list[str]:
    """Return the arguments that encode the picture as track number `position`."""
    assert parts.picture is not None
    encoding = burn_in.encoding_of(parts.picture)
    words = [f"-c:{position}", encoding.encoder, f"-pix_fmt:{position}", encoding.pixels]
    words += [f"{word}:{position}" if word.startswith("-") else word for word in encoding.arguments]
    # Apple's players need this tag for HEVC in an MP4.
    return [*words, f"-tag:{position}", "hvc1"] if parts.picture.hdr and parts.container == "mp4" else words


def _track_arguments(position: int, subtitle: NewSubtitle, container: Container) -> list[str]:
    """Return the metadata arguments of a new track."""
    flags = ("default" if subtitle.default else "0") + _FLAGS[subtitle.sheet.kind]
    titles = [f"title={subtitle.title}", *([f"handler_name={subtitle.title}"] if container == "mp4" else [])]
    words = [f"-disposition:{position}", flags.removeprefix("0+") if flags != "0" else flags]
    for tag in (f"language={subtitle.language}", *titles):
        words += [f"-metadata:s:{position}", tag]
    return words
