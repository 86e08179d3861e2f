"""Make a small copy of the picture with ffmpeg: H.264 at a constant frame rate, from time 0 of the film."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from shared.documents.media import Media, Track
from shared.stage import Device, StageError
from stages.proxy.stage import CopyFormat
from stages.toolkit.media import ffmpeg

_ENCODER = "libx264"
_KEY_EVERY_S = 2  # seconds between key frames: a browser decodes from the last one before a jump
_THREADS = "2"  # fixed, because the number changes the bytes


class FfmpegProxy:
    """The engine, with the path of the program."""

    def __init__(self, program: str) -> None:
        self._program = program

    def copy(
        self,
        media: Path,
        info: Media,
        picture: Track,
        copy_format: CopyFormat,
        target: Path,
        progress: Callable[[float], None],
    ) -> None:
        """Write the copy of a picture. Damaged parts are skipped, as a player does. Raises `StageError` if it cannot be
        written."""
        if not ffmpeg.has_encoder(self._program, _ENCODER):
            raise StageError(
                "proxy.no-encoder",
                f"a copy of the picture needs an ffmpeg that was built with {_ENCODER}, and"
                f" {ffmpeg.named(self._program)} was not",
                hint=ffmpeg.OTHER,
            )
        arguments = _arguments(media, info, picture, copy_format, target)
        ended = ffmpeg.run(self._program, arguments, duration_ms=info.duration_ms, progress=progress)
        if ended.no_space:
            raise StageError(
                "proxy.no-space", f"{target.parent}: expected room for a copy of the picture, found a full disk",
                hint="free some space; the review page shows single pictures without the copy",
            )  # fmt: skip
        if ended.status != 0:
            ffmpeg.require_media("proxy.gone", media)
            raise StageError(
                "proxy.failed", f"{media}: expected a picture, and it cannot be copied: {ended.reason()}",
                hint=f"the review page shows single pictures without the copy; or {ffmpeg.OTHER}",
            )  # fmt: skip


def load(models: Mapping[str, Path], device: Device) -> FfmpegProxy:
    """Return the engine; there is no model to load."""
    return FfmpegProxy(ffmpeg.find_ffmpeg())


def _arguments(media: Path, info: Media, picture: Track, copy_format: CopyFormat, target: Path) -> list[str]:
    """Return the arguments that write the copy. The first picture is repeated from time 0 on, so that a player needs no
    edit list."""
    size, quality = f"{copy_format.width}:{copy_format.height}", str(copy_format.quality)
    filters = [f"fps={copy_format.frame_rate:.6f}:start_time=0", f"scale={size}", "setsar=1", "format=yuv420p"]
    key_frames = str(round(_KEY_EVERY_S * copy_format.frame_rate))
    return [
        *ffmpeg.reading(media, "-threads", _THREADS), "-map", f"0:{picture.index}", "-vf", ",".join(filters),
        "-c:v", _ENCODER, "-preset", "veryfast", "-crf", quality, "-g", key_frames, "-threads", _THREADS,
        "-map_metadata", "-1", "-map_chapters", "-1", "-bitexact", "-fflags", "+bitexact", "-movflags", "+faststart",
        "-f", "mp4", ffmpeg.address(target), *ffmpeg.keeping_clock(info, picture),
    ]  # fmt: skip
