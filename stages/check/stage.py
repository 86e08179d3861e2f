"""Check a subtitle file against a guide: report each rule that is broken, and the worst cues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import Field, field_validator

from shared.documents.cue import Cue, CueSheet, ReadCues
from shared.documents.quality_report import QualityReport
from shared.stage import Backend, Files, Job, Resources, Stage
from shared.text.guide_limits import GuideParams, Limits
from shared.text.language import UNDETERMINED
from shared.text.language_names import known_language


class CheckInputs(Files):
    """`subtitles`: SubRip, WebVTT, ASS, TTML, SCC or a cue sheet, from any source; `media`: their media file, for its
    end and its frame rate."""

    subtitles: Path
    media: Path | None = None


class CheckParams(GuideParams):
    """The limits of the guide, and the language."""

    language: str = Field(UNDETERMINED, description="the language of the subtitles, BCP-47; limits depend on it")

    _known = field_validator("language")(known_language)


class CheckOutputs(Files):
    """`report`: `shared.documents.quality_report.QualityReport`; `cues`: `shared.documents.cue.CueSheet`, the cues of
    the file."""

    report: Path
    cues: Path


CheckJob = Job[CheckInputs, CheckParams]


@dataclass(frozen=True)
class Film:
    """The end and the frame rate of the media file; None if the file does not state them."""

    end_ms: int | None = None
    frame_rate: float | None = None


class Engine(Protocol):
    """A backend."""

    def read(self, subtitles: Path) -> ReadCues: ...
    def film(self, media: Path) -> Film: ...
    def check(self, cues: Sequence[Cue], language: str, limits: Limits, end_ms: int | None) -> QualityReport: ...


def run(engine: Engine, job: CheckJob) -> CheckOutputs:
    """Read the file, check its cues and write the report."""
    read = engine.read(job.inputs.subtitles)
    for repair in read.repairs:
        job.warn(repair)
    film = engine.film(job.inputs.media) if job.inputs.media else Film()
    limits = job.params.limits(job.params.language, film.frame_rate)
    return _write(job, engine.check(read.cues, job.params.language, limits, film.end_ms), read.cues)


def stub(job: CheckJob) -> CheckOutputs:
    """Write a report without cues; only a backend reads files."""
    return _write(job, QualityReport(language=job.params.language, cues=0, over_limits=0, broken=()), ())


def _write(job: CheckJob, report: QualityReport, cues: Sequence[Cue]) -> CheckOutputs:
    job.note("language", report.language)
    job.note("cues", report.cues)
    job.note("over_limits", report.over_limits)
    ordered = tuple(sorted(cues, key=lambda cue: (cue.start_ms, cue.end_ms)))
    sheet = CueSheet(language=report.language, cues=ordered)
    return CheckOutputs(report=report.write(job.out_dir / "report.json"), cues=sheet.write(job.out_dir / "cues.json"))


STAGE = Stage(
    name="check",
    version=7,
    summary="check a subtitle file against a guide",
    inputs=CheckInputs,
    params=CheckParams,
    outputs=CheckOutputs,
    backends={
        "pysubs2": Backend(
            module="stages.check.reader",
            environment="lite",
            summary="files read by pysubs2, media by PyAV; the project's own rules",
            resources=Resources(cpus=1, memory_gib=0.5),
        ),
    },
    run=run,
    stub=stub,
)
