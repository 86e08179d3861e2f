"""Tell whether an existing subtitle fits a film, with figures, before it is used.

The input is the transcript of a few stretches of the film. If the words of the subtitle are heard at its times, it
fits. If they are heard at other times, it has moved. If it is in another language than the one spoken, its times must
fit the speech better than chance does. Nothing else proves that a subtitle belongs to a film.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import Field

from shared.documents.cue import CueSheet
from shared.documents.speech import Region, SpeechRegions
from shared.documents.subtitle_sync import REFUSED_HINT, SubtitleFit, refusal
from shared.documents.transcript import Transcript
from shared.stage import Backend, Files, Job, Params, Resources, Stage, StageError


class FitInputs(Files):
    """`cues`: `shared.documents.cue.CueSheet`, the subtitle; `speech`: `shared.documents.speech.SpeechRegions` of the
    film; `heard`: `shared.documents.transcript.Transcript` of a part of it."""

    cues: Path
    speech: Path
    heard: Path


class FitParams(Params):
    """Parameters: what is left to recognise, and what becomes of a subtitle of another film."""

    fill: bool = Field(False, description="leave the speech that no cue covers to recognition")
    shortest_gap_ms: int = Field(1_000, ge=0, description="with `fill`: shorter speech without a cue is left alone")
    hear_all: bool = Field(
        False, description="recognise the whole film even if a few stretches prove one offset for all cues"
    )
    strict: bool = Field(
        False, description="refuse a subtitle of another film with an error; otherwise the speech is recognised instead"
    )


class FitOutputs(Files):
    """`report`: `shared.documents.subtitle_sync.SubtitleFit`; `rest`: `shared.documents.speech.SpeechRegions`, the
    speech that is still to be recognised. Without `rest`, that is all speech."""

    report: Path
    rest: Path | None = None


FitJob = Job[FitInputs, FitParams]


@dataclass(frozen=True)
class Judged:
    """The verdict, and the cues' times in the film, in order; None unless a few stretches of the film prove them."""

    fit: SubtitleFit
    shown: tuple[Region, ...] | None


class Engine(Protocol):
    """A backend."""

    def judge(self, sheet: CueSheet, transcript: Transcript, speech: SpeechRegions) -> Judged: ...


def run(engine: Engine, job: FitJob) -> FitOutputs:
    """Write the verdict and the speech that is left to recognise. Raises `StageError` for a refused subtitle if
    `strict`."""
    speech = SpeechRegions.read(job.inputs.speech)
    sheet, transcript = CueSheet.read(job.inputs.cues), Transcript.read(job.inputs.heard)
    judged = engine.judge(sheet, transcript, speech)
    if job.params.strict and judged.fit.verdict == "refused":
        raise StageError("sync.refused", refusal(judged.fit), REFUSED_HINT)
    return _write(job, judged, speech)


def stub(job: FitJob) -> FitOutputs:
    """Write the verdict that the subtitle fits; only a backend measures."""
    sheet, transcript = CueSheet.read(job.inputs.cues), Transcript.read(job.inputs.heard)
    fit = SubtitleFit(
        verdict="fits", reason="a placeholder", text_language=sheet.language, speech_language=transcript.language,
        cues=len(sheet.cues), on_speech=1.0, sampled_ms=0, heard_words=0, agreeing=1.0,
    )  # fmt: skip
    shown = tuple(Region(start_ms=cue.start_ms, end_ms=cue.end_ms) for cue in sheet.cues)
    return _write(job, Judged(fit, shown), SpeechRegions.read(job.inputs.speech))


def uncovered(speech: Sequence[Region], shown: Sequence[Region], shortest_ms: int) -> tuple[Region, ...]:
    """Return the parts of the speech, in order, during which no cue is shown and that last `shortest_ms` or longer.
    `shown` must be in order of time."""
    found: list[Region] = []
    shortest_ms = max(shortest_ms, 1)
    for region in speech:
        at = region.start_ms
        for one in shown:
            if one.end_ms <= at or one.start_ms >= region.end_ms:
                continue
            if one.start_ms - at >= shortest_ms:
                found.append(Region(start_ms=at, end_ms=one.start_ms))
            at = max(at, one.end_ms)
        if region.end_ms - at >= shortest_ms:
            found.append(Region(start_ms=at, end_ms=region.end_ms))
    return tuple(found)


def _write(job: FitJob, judged: Judged, speech: SpeechRegions) -> FitOutputs:
    fit = judged.fit
    job.note("verdict", fit.verdict)
    job.note("on_speech", fit.on_speech)
    job.note("agreeing", fit.agreeing)
    if fit.verdict == "refused":
        job.warn(f"{refusal(fit)}; the speech is recognised instead")
    elif fit.verdict == "moved":
        job.warn(f"the subtitle is out of step and is synchronised: {fit.reason}")
    elif fit.verdict == "other-language" and judged.shown is None:
        job.warn(f"the subtitle needs all of the speech recognised: {fit.reason}")
    proven = judged.shown is not None and not (job.params.hear_all and fit.verdict == "moved")
    report = fit.model_copy(update={"proven": proven}).write(job.out_dir / "fit.json")
    if judged.shown is None or not proven:
        return FitOutputs(report=report)
    fills = job.params.fill and fit.verdict != "other-language"
    regions = uncovered(speech.regions, judged.shown, job.params.shortest_gap_ms) if fills else ()
    rest = SpeechRegions(duration_ms=speech.duration_ms, regions=regions)
    job.note("left_to_hear_ms", rest.speech_ms)
    return FitOutputs(report=report, rest=rest.write(job.out_dir / "rest.json"))


STAGE = Stage(
    name="fit",
    version=2,
    summary="tell whether an existing subtitle fits a film",
    inputs=FitInputs,
    params=FitParams,
    outputs=FitOutputs,
    backends={
        "evidence": Backend(
            module="stages.fit.evidence",
            environment="lite",
            summary="words against those that were heard, times against speech",
            resources=Resources(cpus=1, memory_gib=1.0, time_per_media_s=0.2),
        ),
    },
    run=run,
    stub=stub,
)
