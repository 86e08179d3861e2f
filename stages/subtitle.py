"""Lay a transcript, or its translation, out as subtitles that keep to a guide."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from shared.cue import Cue, CueSheet
from shared.files import write_atomically
from shared.guide import GuideParams, Limits
from shared.media import Media
from shared.quality import QualityReport
from shared.stage import Backend, Files, Job, Resources, Stage
from shared.transcript import Transcript
from shared.translation import Translation


class SubtitleInputs(Files):
    """`transcript` with word times; `translation` to lay out instead; `info`: `shared.media.Media`, for its frames."""

    transcript: Path
    translation: Path | None = None
    info: Path | None = None


class SubtitleParams(GuideParams):
    """The limits to keep to."""


class SubtitleOutputs(Files):
    """`cues`: `shared.cue.CueSheet`; `srt` and `vtt`: the same as SubRip and WebVTT, UTF-8.

    `report`: `shared.quality.QualityReport` with every cue over a limit and the reason.
    """

    cues: Path
    srt: Path
    vtt: Path
    report: Path


SubtitleJob = Job[SubtitleInputs, SubtitleParams]


class Engine(Protocol):
    """What a backend offers: the layout, a check of it, and the text of a subtitle file, `srt` or `vtt`."""

    def lay_out(self, transcript: Transcript, translation: Translation | None, limits: Limits) -> CueSheet: ...
    def check(self, sheet: CueSheet, limits: Limits, end_ms: int) -> QualityReport: ...
    def render(self, sheet: CueSheet, kind: str) -> str: ...


def run(engine: Engine, job: SubtitleJob) -> SubtitleOutputs:
    """Lay out, check and write."""
    transcript, translation = _read(job)
    limits = job.params.limits(_language(transcript, translation), _frame_rate(job.inputs.info))
    sheet = engine.lay_out(transcript, translation, limits)
    report = engine.check(sheet, limits, transcript.duration_ms)
    outputs = _write(job, sheet, engine.render(sheet, "srt"), engine.render(sheet, "vtt"), report)
    job.note("over_limits", report.over_limits)
    for broken in report.broken:
        if broken.severity == "error":
            job.note(f"over_{broken.rule.replace('-', '_')}", broken.count)
    return outputs


def stub(job: SubtitleJob) -> SubtitleOutputs:
    """A cue for each segment, and empty subtitle files: writing those is a library's work."""
    transcript, translation = _read(job)
    texts = {segment.id: segment.text for segment in translation.segments} if translation else {}
    cues = tuple(
        Cue(start_ms=segment.start_ms, end_ms=segment.end_ms, lines=(text,), speaker=segment.speaker)
        for segment in transcript.segments
        if (text := texts.get(segment.id, segment.text if translation is None else "").strip())
    )
    language = _language(transcript, translation)
    report = QualityReport(language=language, cues=len(cues), over_limits=0, broken=())
    return _write(job, CueSheet(language=language, cues=cues), "", "WEBVTT\n\n", report)


def _read(job: SubtitleJob) -> tuple[Transcript, Translation | None]:
    translation = Translation.read(job.inputs.translation) if job.inputs.translation else None
    return Transcript.read(job.inputs.transcript), translation


def _language(transcript: Transcript, translation: Translation | None) -> str:
    return translation.target if translation else transcript.language


def _frame_rate(info: Path | None) -> float | None:
    """That of the first moving picture."""
    if info is None:
        return None
    pictures = [track for track in Media.read(info).of_kind("video") if not track.cover]
    return next((track.frame_rate for track in pictures if track.frame_rate), None)


def _write(job: SubtitleJob, sheet: CueSheet, srt: str, vtt: str, report: QualityReport) -> SubtitleOutputs:
    job.note("language", sheet.language)
    job.note("cues", len(sheet.cues))
    srt_path, vtt_path = job.out_dir / "subtitles.srt", job.out_dir / "subtitles.vtt"
    write_atomically(srt_path, srt.encode())
    write_atomically(vtt_path, vtt.encode())
    return SubtitleOutputs(
        cues=sheet.write(job.out_dir / "cues.json"),
        srt=srt_path,
        vtt=vtt_path,
        report=report.write(job.out_dir / "report.json"),
    )


STAGE = Stage(
    name="subtitle",
    version=2,
    summary="lay text out as subtitles and write the files",
    inputs=SubtitleInputs,
    params=SubtitleParams,
    outputs=SubtitleOutputs,
    backends={
        "pysubs2": Backend(
            module="stages.backends.pysubs2_writer",
            environment="lite",
            summary="the project's own layout; SubRip and WebVTT by pysubs2",
            resources=Resources(cpus=1, memory_gib=0.5),
        ),
    },
    run=run,
    stub=stub,
)
