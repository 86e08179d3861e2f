"""Give every word its speaker, by the turn that it overlaps most and the sentence that it belongs to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from shared.documents.diarization import Diarization, Turn
from shared.documents.transcript import Transcript
from shared.files import write_atomically
from shared.stage import CORE_ENVIRONMENT, Backend, Files, Job, Resources, Stage
from shared.text.joining_words import JoiningParams


class AttributeInputs(Files):
    """`transcript` with word times, and `turns`."""

    transcript: Path
    turns: Path


class AttributeParams(JoiningParams):
    """The joining words of the languages."""


class AttributeOutputs(Files):
    """`transcript`: the same words with speakers; `text`: as plain text, one segment a line."""

    transcript: Path
    text: Path


AttributeJob = Job[AttributeInputs, AttributeParams]


class Engine(Protocol):
    """A backend."""

    def attribute(self, transcript: Transcript, turns: Sequence[Turn], joining: Collection[str]) -> Transcript: ...


def run(engine: Engine, job: AttributeJob) -> AttributeOutputs:
    """Write the transcript with speakers."""
    transcript = Transcript.read(job.inputs.transcript)
    turns = Diarization.read(job.inputs.turns).one_at_a_time
    joining = job.params.joining_words_in(transcript.language).every
    return _write(job, engine.attribute(transcript, turns, joining))


def stub(job: AttributeJob) -> AttributeOutputs:
    """Write the transcript unchanged."""
    return _write(job, Transcript.read(job.inputs.transcript))


def _write(job: AttributeJob, transcript: Transcript) -> AttributeOutputs:
    job.note("language", transcript.language)
    text = job.out_dir / "transcript.txt"
    write_atomically(text, transcript.text.encode())
    return AttributeOutputs(transcript=transcript.write(job.out_dir / "transcript.json"), text=text)


STAGE = Stage(
    name="attribute",
    version=5,
    summary="give every word its speaker",
    inputs=AttributeInputs,
    params=AttributeParams,
    outputs=AttributeOutputs,
    backends={
        "overlap": Backend(
            module="stages.attribute.overlap",
            environment=CORE_ENVIRONMENT,
            summary="the turn that a word overlaps most",
            resources=Resources(cpus=1, memory_gib=0.5),
        ),
    },
    run=run,
    stub=stub,
)
