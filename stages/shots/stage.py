"""Find the shot changes of a film, to which the times of subtitles are moved.

A change is a picture that differs much from the one before it, while the pictures around it differ little. So neither a
pan nor a flickering light counts as one. Every picture is decoded, because only that gives the time of a change to the
frame. Decoding is most of the cost of this stage, so with `when` = `auto` a picture larger than `largest_pixels` is
skipped.
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

_NEIGHBOURS = 3  # frames on each side with which a change is compared
_SHORTEST_FRAMES = 5  # of two closer changes, one is the end of a flash
_FRAME_RATE = 25.0  # if the container does not state one


class ShotsInputs(Files):
    """`media`: the file; `info`: `shared.documents.media.Media`, for its picture."""

    media: Path
    info: Path


class ShotsParams(Params):
    """When the film is searched, and what counts as a change."""

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
class Differences:
    """The differences of the pictures, in order of time, without small ones, and the decoder's message if it could not
    go on."""

    differences: Sequence[Difference]
    complaint: str | None = None


class Engine(Protocol):
    """A backend."""

    def compare_pictures(
        self, media: Path, info: Media, picture: Track, folder: Path, progress: Callable[[float], None]
    ) -> Differences:
        """Compare each picture with the one before it. `folder` is for the engine's own files."""
        ...


def run(engine: Engine, job: ShotsJob) -> ShotsOutputs:
    """Decide whether to search, and write the shot changes."""
    info = Media.read(job.inputs.info)
    picture = info.picture
    applied, reason = decide(job.params, picture)
    changes: tuple[int, ...] = ()
    if applied and picture:
        found = engine.compare_pictures(job.inputs.media, info, picture, job.out_dir, job.progress)
        changes = find_changes(found.differences, picture.frame_rate or _FRAME_RATE, job.params)
        if found.complaint:
            job.warn(f"the picture could not be decoded to its end, so shot changes may be missing ({found.complaint})")
    return _write(job, Shots(changes_ms=changes, applied=applied, reason=reason))


def stub(job: ShotsJob) -> ShotsOutputs:
    """Write no shot changes."""
    return _write(job, Shots(changes_ms=(), applied=False, reason="this is a stub"))


def decide(params: ShotsParams, picture: Track | None) -> tuple[bool, str]:
    """Return whether to search, and the reason in words."""
    if picture is None:
        return False, "there is no picture"
    if params.when != "auto":
        return params.when == "always", f"`when` is `{params.when}`"
    pixels = (picture.width or 0) * (picture.height or 0)
    compared = "more" if pixels > params.largest_pixels else "not more"
    return pixels <= params.largest_pixels, f"{pixels} pixels are {compared} than {params.largest_pixels}"


def find_changes(found: Sequence[Difference], frame_rate: float, params: ShotsParams) -> tuple[int, ...]:
    """Return the times in ms at which shots begin, in order, with at least `_SHORTEST_FRAMES` between two."""
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
