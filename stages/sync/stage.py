"""Put an existing subtitle in step with a film, by the recognised words, or by the times at which people speak.

The text is not changed. Cues that moved together keep their distances. A single cue that is out of step gets the time
of its own words. A cue whose words were not recognised keeps its distance to its neighbours. A subtitle in another
language than the one spoken is put in step by the speech regions alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Protocol

from pydantic import Field

from shared.documents.cue import CueSheet
from shared.documents.speech import SpeechRegions
from shared.documents.subtitle_sync import REFUSED_HINT, Basis, MovedCue, SubtitleFit, SyncReport, refusal
from shared.documents.transcript import Transcript
from shared.files import write_atomically
from shared.stage import Backend, Files, Job, Params, Resources, Stage, StageError
from shared.text.stub_subtitles import stub_file
from shared.text.timecode import clock

_MOST_NAMED = 4  # shifts in a message
_MOVED_MS = 20  # a frame at 50 per second: a smaller shift does not count as one
_SURE: frozenset[Basis] = frozenset({"unchanged", "rhythm", "words"})


class SyncInputs(Files):
    """`cues`: `shared.documents.cue.CueSheet`, the subtitle; `speech`: `shared.documents.speech.SpeechRegions` of the
    film; `fit`: `shared.documents.subtitle_sync.SubtitleFit`; `sample` and `heard`:
    `shared.documents.transcript.Transcript` of a part of the film and of the whole film, of which one must be given;
    `subtitles`: the subtitle file, if it is to be written with other times."""

    cues: Path
    speech: Path
    fit: Path | None = None
    sample: Path | None = None
    heard: Path | None = None
    subtitles: Path | None = None


class SyncParams(Params):
    """Parameters of the stage."""

    strict: bool = Field(False, description="refuse it with an error; otherwise there are no cues, and the job goes on")


class SyncOutputs(Files):
    """`cues`: `shared.documents.cue.CueSheet`, absent if the subtitle is refused; `report`:
    `shared.documents.subtitle_sync.SyncReport`; `files`: the subtitle file with other times, if `subtitles` was given.
    """

    cues: Path | None = None
    report: Path
    files: tuple[Path, ...] = ()


SyncJob = Job[SyncInputs, SyncParams]


@dataclass(frozen=True)
class Placed:
    """A cue's time in the film, the evidence for it, and the share of its words that were recognised."""

    start_ms: int
    end_ms: int
    basis: Basis
    heard: float


@dataclass(frozen=True)
class Synchronised:
    """The verdict, and a time for each cue of the sheet in its order. A refused subtitle has no times."""

    fit: SubtitleFit
    placed: tuple[Placed, ...]


class Engine(Protocol):
    """A backend."""

    def synchronise(self, sheet: CueSheet, transcript: Transcript, speech: SpeechRegions) -> Synchronised: ...

    def rewrite(self, subtitles: Path, before: CueSheet, after: Sequence[Placed]) -> tuple[str, bytes]:
        """Return the file with other times: its suffix without a dot, and its bytes. `after` is in the order of
        `before`."""


def run(engine: Engine, job: SyncJob) -> SyncOutputs:
    """Put the cues in step. Raises `StageError` for a refused subtitle if `strict`."""
    sheet = CueSheet.read(job.inputs.cues)
    fit = SubtitleFit.read(job.inputs.fit) if job.inputs.fit else None
    if fit is None or fit.verdict in {"moved", "other-language"}:
        result = engine.synchronise(sheet, _transcript(job, fit), SpeechRegions.read(job.inputs.speech))
    else:
        result = Synchronised(fit, tuple(unchanged(sheet)) if fit.verdict == "fits" else ())
    if result.fit.verdict == "refused":
        return _refuse(job, sheet, result.fit)
    files = []
    if job.inputs.subtitles:
        suffix, content = engine.rewrite(job.inputs.subtitles, sheet, result.placed)
        files.append(job.out_dir / f"subtitles.{suffix}")
        write_atomically(files[0], content)
    return _write(job, sheet, result, files)


def stub(job: SyncJob) -> SyncOutputs:
    """Write the cues unchanged; only a backend compares them."""
    sheet = CueSheet.read(job.inputs.cues)
    fit = SubtitleFit(
        verdict="fits", reason="a placeholder", text_language=sheet.language, speech_language=sheet.language,
        cues=len(sheet.cues), on_speech=1.0, sampled_ms=0, heard_words=0, agreeing=1.0,
    )  # fmt: skip
    files = []
    if job.inputs.subtitles:
        files.append(job.out_dir / "subtitles.srt")
        write_atomically(files[0], stub_file(sheet, "srt").encode())
    return _write(job, sheet, Synchronised(fit, tuple(unchanged(sheet))), files)


def unchanged(sheet: CueSheet) -> list[Placed]:
    """Return the cues with their times in the file."""
    return [Placed(cue.start_ms, cue.end_ms, "unchanged", 0.0) for cue in sheet.cues]


def _transcript(job: SyncJob, fit: SubtitleFit | None) -> Transcript:
    """Return the transcript to compare with: that of a part of the film if it proves enough, else that of all of it.
    Raises `StageError` if neither was given."""
    part, complete = job.inputs.sample, job.inputs.heard
    chosen = (part or complete) if fit and fit.proven else (complete or part)
    if chosen is None:
        raise StageError(
            "sync.words", "the stage needs the words of the film, in `heard` or in `sample`, and has neither",
            "transcribe the film first: `./reel run --recipe transcribe`",
        )  # fmt: skip
    return Transcript.read(chosen)


def _refuse(job: SyncJob, sheet: CueSheet, fit: SubtitleFit) -> SyncOutputs:
    if job.params.strict:
        raise StageError("sync.refused", refusal(fit), REFUSED_HINT)
    job.warn(refusal(fit))
    report = _report(sheet, Synchronised(fit, ()))
    _note(job, sheet, report)
    return SyncOutputs(report=report.write(job.out_dir / "sync.json"))


def _write(job: SyncJob, sheet: CueSheet, result: Synchronised, files: Sequence[Path]) -> SyncOutputs:
    cues = [
        cue.model_copy(update={"start_ms": placed.start_ms, "end_ms": placed.end_ms})
        for cue, placed in zip(sheet.cues, result.placed, strict=True)
    ]
    ordered = tuple(sorted(cues, key=lambda cue: (cue.start_ms, cue.end_ms)))
    report = _report(sheet, result)
    _note(job, sheet, report)
    if report.shifts and report.moved:
        job.warn(_summary(report))
    return SyncOutputs(
        cues=sheet.model_copy(update={"cues": ordered}).write(job.out_dir / "cues.json"),
        report=report.write(job.out_dir / "sync.json"),
        files=tuple(files),
    )


def _report(sheet: CueSheet, result: Synchronised) -> SyncReport:
    placed = tuple(
        MovedCue(number=number, file_ms=cue.start_ms, film_ms=one.start_ms, basis=one.basis, heard=round(one.heard, 3))
        for number, (cue, one) in enumerate(zip(sheet.cues, result.placed, strict=bool(result.placed)), 1)
    )
    shifts = [moved.film_ms - moved.file_ms for moved in placed]
    by_words = result.fit.verdict in {"fits", "moved"}
    return SyncReport(
        verdict=result.fit.verdict,
        reason=result.fit.reason,
        method="none" if not any(shifts) else "words" if by_words else "speech",
        language=sheet.language,
        cues=len(sheet.cues),
        moved=sum(abs(shift) >= _MOVED_MS for shift in shifts),
        median_ms=round(median(shifts)) if shifts else 0,
        farthest_ms=max(shifts, key=abs, default=0),
        sure=round(sum(one.basis in _SURE for one in placed) / max(1, len(placed)), 3),
        agreeing=result.fit.agreeing,
        shifts=result.fit.shifts,
        placed=placed,
    )


def _summary(report: SyncReport) -> str:
    """Return one sentence that says how many cues moved and by how much."""
    named = [
        f"from {clock(shift.start_ms)} by {(shift.offset_ms + (shift.speed - 1) * shift.start_ms) / 1000:+.1f} s"
        + (f" at {shift.speed:.4f} times the length" if shift.speed != 1 else "")
        for shift in report.shifts[:_MOST_NAMED]
    ]
    more = f" and {len(report.shifts) - _MOST_NAMED} more changes" if len(report.shifts) > _MOST_NAMED else ""
    return f"moved {report.moved} of {report.cues} cues, {', '.join(named)}{more}; sure of {report.sure:.0%} of them"


def _note(job: SyncJob, sheet: CueSheet, report: SyncReport) -> None:
    job.note("language", sheet.language)
    job.note("kind", sheet.kind)
    job.note("verdict", report.verdict)
    job.note("method", report.method)
    job.note("cues", report.cues)
    job.note("moved", report.moved)
    job.note("median_ms", report.median_ms)
    job.note("sure", report.sure)


STAGE = Stage(
    name="sync",
    version=3,
    summary="put an existing subtitle in step with what is heard",
    inputs=SyncInputs,
    params=SyncParams,
    outputs=SyncOutputs,
    backends={
        "words": Backend(
            module="stages.sync.words",
            environment="lite",
            summary="the words of the subtitle matched with those heard; in another language, its times with speech",
            resources=Resources(cpus=1, memory_gib=1.0, time_per_media_s=0.2),
        ),
    },
    run=run,
    stub=stub,
)
