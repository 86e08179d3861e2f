"""Make a small copy of the picture that every browser plays, for films that a browser does not play.

The copy has no sound, and a constant frame rate. Its time 0 is that of the sound from `demux`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import Field

from shared.documents.media import Media, Track
from shared.stage import Backend, Files, Job, Params, Resources, Stage

_FRAME_RATE = 25.0  # if the container does not state one
_LOWEST_RATE, _HIGHEST_RATE = 15.0, 30.0
_ASPECT = 16 / 9  # if the size is not known


class ProxyInputs(Files):
    """`media`: the file; `info`: `shared.documents.media.Media`, for its picture."""

    media: Path
    info: Path


class ProxyParams(Params):
    """The size and the quality of the copy."""

    height: int = Field(
        360, ge=64, le=1080, multiple_of=2, description="of the copy, in pixels; never more than the film has"
    )
    quality: int = Field(28, ge=18, le=40, description="x264's constant rate factor: a lower one is better and larger")


class ProxyOutputs(Files):
    """`video`: an MP4 file with H.264 and no sound; None if the file has no moving picture."""

    video: Path | None = None


ProxyJob = Job[ProxyInputs, ProxyParams]


@dataclass(frozen=True)
class CopyFormat:
    """Size of the copy in pixels, both even, its frame rate, and its quality as in `ProxyParams`."""

    width: int
    height: int
    frame_rate: float
    quality: int


class Engine(Protocol):
    """A backend: it writes the copy of a picture to `target`. Raises `StageError` if it cannot."""

    def copy(
        self,
        media: Path,
        info: Media,
        picture: Track,
        copy_format: CopyFormat,
        target: Path,
        progress: Callable[[float], None],
    ) -> None: ...


def run(engine: Engine, job: ProxyJob) -> ProxyOutputs:
    """Write the copy, if there is a picture."""
    info = Media.read(job.inputs.info)
    if info.picture is None:
        job.note("skipped", "there is no picture")
        return ProxyOutputs()
    target = job.out_dir / "proxy.mp4"
    engine.copy(job.inputs.media, info, info.picture, copy_format(info.picture, job.params), target, job.progress)
    return ProxyOutputs(video=target)


def stub(job: ProxyJob) -> ProxyOutputs:
    """Write a copy of the file with one byte more: it must not have the digest of the film."""
    target = job.out_dir / "proxy.mp4"
    target.write_bytes(job.inputs.media.read_bytes() + b"\0")
    return ProxyOutputs(video=target)


def copy_format(picture: Track, params: ProxyParams) -> CopyFormat:
    """Return the format of the copy: the shape of the picture as it is shown, at most as high as `params` allow, with
    15 to 30 frames a second, so that no frame is off its time by more than 1/30 s."""
    height = _even(min(picture.shown_height or picture.height or params.height, params.height))
    rate = picture.frame_rate or _FRAME_RATE
    while rate > _HIGHEST_RATE:
        rate /= 2
    while rate < _LOWEST_RATE:
        rate *= 2
    return CopyFormat(_even(height * (picture.aspect or _ASPECT)), height, rate, params.quality)


def _even(number: float) -> int:
    """Return the nearest even number, which the chroma subsampling of H.264 needs."""
    return max(2 * round(number / 2), 2)


STAGE = Stage(
    name="proxy",
    version=1,
    summary="make a small copy of the picture that every browser plays",
    inputs=ProxyInputs,
    params=ProxyParams,
    outputs=ProxyOutputs,
    backends={
        "ffmpeg": Backend(
            module="stages.proxy.ffmpeg",
            environment="lite",
            summary="H.264 by ffmpeg and x264",
            tools=("ffmpeg",),
            resources=Resources(cpus=2, memory_gib=1.0, time_base_s=120.0, time_per_media_s=10.0),
        )
    },
    run=run,
    stub=stub,
)
