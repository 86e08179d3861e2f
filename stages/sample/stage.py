"""Choose a few stretches of speech, spread over a film, whose transcript tells whether a subtitle belongs to it.

Recognising them takes a twentieth of the time of recognising a film of two hours. The film is divided into equal parts,
and each stretch is made of the speech regions with the most speech in its part.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pydantic import Field

from shared.documents.cue import CueSheet
from shared.documents.speech import Region, SpeechRegions
from shared.stage import CORE_ENVIRONMENT, Backend, Files, Job, Params, Resources, Stage


class SampleInputs(Files):
    """`cues`: `shared.documents.cue.CueSheet`, the subtitle; `speech`: `shared.documents.speech.SpeechRegions`."""

    cues: Path
    speech: Path


class SampleParams(Params):
    """The number and length of the stretches."""

    stretches: int = Field(10, ge=1, description="number of stretches, spread over the film")
    seconds: float = Field(30.0, gt=0, description="length of each stretch")


class SampleOutputs(Files):
    """`speech`: `shared.documents.speech.SpeechRegions`, only those of the stretches."""

    speech: Path


SampleJob = Job[SampleInputs, SampleParams]


class Engine(Protocol):
    """A backend."""

    def stretches(self, regions: Sequence[Region], count: int, length_ms: int) -> tuple[Region, ...]: ...


def run(engine: Engine, job: SampleJob) -> SampleOutputs:
    """Choose the stretches. A subtitle without cues needs none."""
    speech = SpeechRegions.read(job.inputs.speech)
    if not CueSheet.read(job.inputs.cues).cues:
        return _write(job, speech, ())
    chosen = engine.stretches(speech.regions, job.params.stretches, round(job.params.seconds * 1000))
    return _write(job, speech, chosen)


def stub(job: SampleJob) -> SampleOutputs:
    """Write all speech regions."""
    speech = SpeechRegions.read(job.inputs.speech)
    return _write(job, speech, speech.regions)


def _write(job: SampleJob, speech: SpeechRegions, chosen: tuple[Region, ...]) -> SampleOutputs:
    sample = SpeechRegions(duration_ms=speech.duration_ms, regions=chosen)
    job.note("sampled_ms", sample.speech_ms)
    job.note("speech_ms", speech.speech_ms)
    return SampleOutputs(speech=sample.write(job.out_dir / "speech.json"))


STAGE = Stage(
    name="sample",
    version=1,
    summary="choose a few stretches of speech that tell whether a subtitle fits",
    inputs=SampleInputs,
    params=SampleParams,
    outputs=SampleOutputs,
    backends={
        "spread": Backend(
            module="stages.sample.spread",
            environment=CORE_ENVIRONMENT,
            summary="the stretches with the most speech in equal parts of the film",
            resources=Resources(cpus=1, memory_gib=0.5, time_per_media_s=0.1),
        ),
    },
    run=run,
    stub=stub,
)
