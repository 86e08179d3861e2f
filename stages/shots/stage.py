"""Find where the picture changes from one shot to the next: what the times of subtitles keep to.

A change is a picture that differs much from the one before it, while those around it differ little: so neither a pan
nor a flickering light is taken for one. Every picture is decoded, for only every picture gives the time to the frame;
that costs most of what this stage costs, so a picture larger than `largest_pixels` is left alone where `when` is
`auto`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from shared.documents.media import Media, Track
from shared.documents.shots import Shots
from shared.stage import Backend, Files, Job, Params, Resources, Stage

_NEIGHBOURS = 3  # frames on each side that a change must stand out from
_SHORTEST_FRAMES = 5  # of two changes closer than this, one is a flash's end
_FRAME_RATE = 25.0  # where the container does not say


class ShotsInputs(Files):
    """`media`: the file; `info`: `shared.documents.media.Media`, for its picture."""

    media: Path
    info: Path


class ShotsParams(Params):
    """When to look, and what counts as a change."""

    when: Literal["auto", "always", "never"] = Field("auto", description="`auto`: unless the picture is too large")
    largest_pixels: int = Field(1920 * 1200, ge=1, description="`auto` leaves a picture with more pixels alone")
    difference: float = Field(6.0, gt=0, le=100, description="how much a picture must differ from the one before, in %")
    contrast: float = Field(3.0, ge=1, description="and how many times as much as the pictures around it do")


class ShotsOutputs(Files):
    """`shots`: `shared.documents.shots.Shots`."""

    shots: Path


ShotsJob = Job[ShotsInputs, ShotsParams]


@dataclass(frozen=True)
class Difference:
    """The difference, in per cent, between the picture shown from `time_ms` on and the one before it."""

    time_ms: int
    percent: float


@dataclass(frozen=True)
class Looked:
    """Differences in order of time, those of pictures that hardly differ left away; and what the decoder said when it
    could not go on."""

    differences: Sequence[Difference]
    complaint: str | None = None


class Engine(Protocol):
    """A backend."""

    def look(self, media: Path, info: Media, picture: Track, folder: Path, progress: Callable[[float], None]) -> Looked:
        """Compare each picture with the one before it. `folder` may be written to."""
        ...


def run(engine: Engine, job: ShotsJob) -> ShotsOutputs:
    """Decide, look, and choose what is a change."""
    info = Media.read(job.inputs.info)
    picture = info.picture
    applied, reason = decide(job.params, picture)
    changes: tuple[int, ...] = ()
    if applied and picture:
        looked = engine.look(job.inputs.media, info, picture, job.out_dir, job.progress)
        changes = find_changes(looked.differences, picture.frame_rate or _FRAME_RATE, job.params)
        if looked.complaint:
            job.warn(
                f"the picture could not be decoded to its end, so shot changes may be missing ({looked.complaint})"
            )
    return _write(job, Shots(changes_ms=changes, applied=applied, reason=reason))


def stub(job: ShotsJob) -> ShotsOutputs:
    """Return no shot change."""
    return _write(job, Shots(changes_ms=(), applied=False, reason="this is a stub"))


def decide(params: ShotsParams, picture: Track | None) -> tuple[bool, str]:
    """Return whether to look, and the reason in words."""
    if picture is None:
        return False, "there is no picture"
    if params.when != "auto":
        return params.when == "always", f"`when` is `{params.when}`"
    pixels = (picture.width or 0) * (picture.height or 0)
    compared = "more" if pixels > params.largest_pixels else "not more"
    return pixels <= params.largest_pixels, f"{pixels} pixels are {compared} than {params.largest_pixels}"


def find_changes(found: Sequence[Difference], frame_rate: float, params: ShotsParams) -> tuple[int, ...]:
    """Return the times at which a shot begins, in order, never two within the length of a flash."""
    times = [change.time_ms for change in found]
    sums = list(accumulate((change.percent for change in found), initial=0.0))
    reach_ms = (_NEIGHBOURS + 0.5) * 1000 / frame_rate
    chosen: list[Difference] = []
    for change in found:
        if change.percent < params.difference:
            continue
        first, last = bisect_left(times, change.time_ms - reach_ms), bisect_right(times, change.time_ms + reach_ms)
        around = (sums[last] - sums[first] - change.percent) / (2 * _NEIGHBOURS)
        if change.percent < params.contrast * around:
            continue
        if chosen and change.time_ms - chosen[-1].time_ms < _SHORTEST_FRAMES * 1000 / frame_rate:
            if change.percent > chosen[-1].percent:
                chosen[-1] = change
        else:
            chosen.append(change)
    return tuple(change.time_ms for change in chosen)


def _write(job: ShotsJob, shots: Shots) -> ShotsOutputs:
    job.note("applied", shots.applied)
    job.note("reason", shots.reason)
    job.note("changes", len(shots.changes_ms))
    return ShotsOutputs(shots=shots.write(job.out_dir / "shots.json"))


STAGE = Stage(
    name="shots",
    version=1,
    summary="find where the picture changes from one shot to the next",
    inputs=ShotsInputs,
    params=ShotsParams,
    outputs=ShotsOutputs,
    backends={
        "ffmpeg": Backend(
            module="stages.shots.ffmpeg",
            environment="lite",
            summary="ffmpeg's scene change score on a small copy of each picture",
            tools=("ffmpeg",),
            resources=Resources(cpus=1, memory_gib=1.0, time_base_s=120.0, time_per_media_s=4.0),
        )
    },
    run=run,
    stub=stub,
)
