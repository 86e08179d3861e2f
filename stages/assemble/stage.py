"""Make a transcript from the cues of an existing subtitle, and from the recognised speech that no cue covers.

Each spoken or sung text becomes a segment with the time of its cue. Sounds, names before a text and marks remain in the
cues, because they are not speech. If the subtitle does not fit the film or cannot be read, there are no cues, and the
result is the transcript of the recogniser.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pydantic import Field

from shared.documents.cue import CueSheet, KeptCue, KeptCues
from shared.documents.transcript import Segment, Transcript
from shared.stage import Backend, Files, Job, Params, Resources, Stage


class AssembleInputs(Files):
    """`subtitle`: `shared.documents.cue.CueSheet` with the times of the file; `cues`: the same with the times of the
    film, None if it does not fit the film; `heard`: `shared.documents.transcript.Transcript` of the recogniser, None
    without a film."""

    subtitle: Path
    cues: Path | None = None
    heard: Path | None = None


class AssembleParams(Params):
    """Parameters of the stage."""

    fill: bool = Field(False, description="also take the recognised speech that no cue covers")


class AssembleOutputs(Files):
    """`transcript`; `kept`: `shared.documents.cue.KeptCues`, None without a subtitle."""

    transcript: Path
    kept: Path | None = None


AssembleJob = Job[AssembleInputs, AssembleParams]


class Engine(Protocol):
    """A backend: it makes segments of cues, and adds recognised segments that no cue covers."""

    def segments_of(self, sheet: CueSheet) -> tuple[KeptCues, tuple[Segment, ...]]: ...
    def fill_gaps(
        self, kept: KeptCues, segments: tuple[Segment, ...], recognised: Transcript
    ) -> tuple[KeptCues, tuple[Segment, ...]]: ...


def run(engine: Engine, job: AssembleJob) -> AssembleOutputs:
    """Write the transcript, and the cues with the ids of their segments."""
    recognised = Transcript.read(job.inputs.heard) if job.inputs.heard else None
    if recognised and job.inputs.cues is None:
        return _write(job, recognised, None)
    sheet = CueSheet.read(job.inputs.cues or job.inputs.subtitle)
    if recognised and not sheet.cues:
        return _write(job, recognised, None)
    kept, segments = engine.segments_of(sheet)
    if recognised and job.params.fill:
        kept, segments = engine.fill_gaps(kept, segments, recognised)
    return _write(job, _transcript(sheet, segments, recognised), kept)


def stub(job: AssembleJob) -> AssembleOutputs:
    """Write a segment for each cue, or the transcript of the recogniser."""
    recognised = Transcript.read(job.inputs.heard) if job.inputs.heard else None
    if recognised and job.inputs.cues is None:
        return _write(job, recognised, None)
    sheet = CueSheet.read(job.inputs.cues or job.inputs.subtitle)
    if recognised and not sheet.cues:
        return _write(job, recognised, None)
    segments = tuple(
        Segment(id=number, text=" ".join(cue.lines), start_ms=cue.start_ms, end_ms=cue.end_ms, origin="read")
        for number, cue in enumerate(sheet.cues)
    )
    cues = tuple(KeptCue(cue=cue, segments=(number,)) for number, cue in enumerate(sheet.cues))
    kept = KeptCues(language=sheet.language, kind=sheet.kind, cues=cues)
    return _write(job, _transcript(sheet, segments, recognised), kept)


def _transcript(sheet: CueSheet, segments: tuple[Segment, ...], recognised: Transcript | None) -> Transcript:
    last = max((cue.end_ms for cue in sheet.cues), default=0)
    return Transcript(
        language=sheet.language,
        language_probability=1.0,
        duration_ms=max(recognised.duration_ms if recognised else 0, last),
        segments=segments,
    )


def _write(job: AssembleJob, transcript: Transcript, kept: KeptCues | None) -> AssembleOutputs:
    job.note("language", transcript.language)
    job.note("segments", len(transcript.segments))
    job.note("from_subtitle", sum(segment.origin == "read" for segment in transcript.segments))
    job.note("filled", sum(segment.origin == "heard" for segment in transcript.segments))
    return AssembleOutputs(
        transcript=transcript.write(job.out_dir / "transcript.json"),
        kept=kept.write(job.out_dir / "kept.json") if kept else None,
    )


STAGE = Stage(
    name="assemble",
    version=1,
    summary="make a transcript of existing subtitles, and of the recognised speech that they do not cover",
    inputs=AssembleInputs,
    params=AssembleParams,
    outputs=AssembleOutputs,
    backends={
        "parts": Backend(
            module="stages.assemble.parts",
            environment="core",
            summary="the project's own rules for sounds, names and songs in cues",
            resources=Resources(cpus=1, memory_gib=0.3),
        ),
    },
    run=run,
    stub=stub,
)
