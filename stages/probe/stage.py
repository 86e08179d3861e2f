"""Describe the tracks of a media file without decoding it, for stages that need only the picture.

The file need not have sound.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from shared.documents.media import Media, Probe, Track
from shared.stage import Backend, Files, Job, Params, Resources, Stage


class ProbeInputs(Files):
    """`media`: any file in a container of the allow list."""

    media: Path


class ProbeParams(Params):
    """The stage has no parameters."""


class ProbeOutputs(Files):
    """`media`: `shared.documents.media.Media`, without decoded sound."""

    media: Path


ProbeJob = Job[ProbeInputs, ProbeParams]


class Engine(Protocol):
    """A backend: it describes a file by its headers. Raises `StageError` for a container outside the allow list."""

    def probe(self, media: Path) -> Probe: ...


def run(engine: Engine, job: ProbeJob) -> ProbeOutputs:
    """Write the description of the file."""
    return _write(job, engine.probe(job.inputs.media))


def stub(job: ProbeJob) -> ProbeOutputs:
    """Write the description of a small film of one second, whatever the file is."""
    track = Track(index=0, kind="video", codec="h264", duration_ms=1000, width=64, height=36, frame_rate=25.0)
    return _write(job, Probe(container="stub", start_ms=0, duration_ms=1000, tracks=(track,)))


def _write(job: ProbeJob, probe: Probe) -> ProbeOutputs:
    audio = next((track.index for track in probe.tracks if track.kind == "audio"), None)
    longest_ms = probe.duration_ms or max((track.duration_ms or 0 for track in probe.tracks), default=0)
    media = Media(
        container=probe.container, start_ms=probe.start_ms, duration_ms=longest_ms, tracks=probe.tracks,
        audio_track=audio, decoded_ms=longest_ms,
    )  # fmt: skip
    return ProbeOutputs(media=media.write(job.out_dir / "media.json"))


STAGE = Stage(
    name="probe",
    version=1,
    summary="describe the tracks of a media file",
    inputs=ProbeInputs,
    params=ProbeParams,
    outputs=ProbeOutputs,
    backends={
        "pyav": Backend(
            module="stages.probe.pyav",
            environment="lite",
            summary="probing by PyAV",
            resources=Resources(cpus=1, memory_gib=0.5, time_base_s=120.0),
        )
    },
    run=run,
    stub=stub,
)
