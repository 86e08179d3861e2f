"""A small copy of the picture by ffmpeg: H.264 at a constant frame rate, from time 0 of the film on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from shared.documents.media import Media, Track
from shared.stage import Device, StageError
from stages.proxy.stage import Look
from stages.toolkit.media import ffmpeg

_ENCODER = "libx264"
_KEY_EVERY_S = 2  # a jump in a browser decodes from the key frame before
_THREADS = "2"  # another number makes other bytes


class FfmpegProxy:
    """The engine: holds nothing but the program's path."""

    def __init__(self, program: str) -> None:
        self._program = program

    def copy(
        self, media: Path, info: Media, picture: Track, look: Look, target: Path, progress: Callable[[float], None]
    ) -> None:
        """Write the copy of a picture. Damage inside is passed over, as a player does."""
        if not ffmpeg.has_encoder(self._program, _ENCODER):
            raise StageError(
                "proxy.no-encoder",
                f"a copy of the picture needs an ffmpeg that was built with {_ENCODER}, and"
                f" {ffmpeg.named(self._program)} was not",
                hint=ffmpeg.OTHER,
            )
        arguments = _arguments(media, info, picture, look, target)
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
    """Return the engine; there is no model."""
    return FfmpegProxy(ffmpeg.find_ffmpeg())


def _arguments(media: Path, info: Media, picture: Track, look: Look, target: Path) -> list[str]:
    """Return the arguments that write the copy. The first picture is repeated back to time 0, so that a player needs
    no edit list."""
    filters = [
        f"fps={look.frame_rate:.6f}:start_time=0", f"scale={look.width}:{look.height}", "setsar=1", "format=yuv420p",
    ]  # fmt: skip
    key_frames = str(round(_KEY_EVERY_S * look.frame_rate))
    return [
        *ffmpeg.reading(media, "-threads", _THREADS), "-map", f"0:{picture.index}", "-vf", ",".join(filters),
        "-c:v", _ENCODER, "-preset", "veryfast", "-crf", str(look.quality), "-g", key_frames, "-threads", _THREADS,
        "-map_metadata", "-1", "-map_chapters", "-1", "-bitexact", "-fflags", "+bitexact", "-movflags", "+faststart",
        "-f", "mp4", ffmpeg.address(target), *ffmpeg.keeping_clock(info, picture),
    ]  # fmt: skip
