"""Carry a person's corrections into a transcript: new words get times from the old ones, all others keep theirs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from shared.documents.base import DocumentError
from shared.documents.cue import Cue, ReadCues
from shared.documents.transcript import Transcript
from shared.files import write_atomically
from shared.stage import Backend, Files, Job, Params, Resources, Stage, StageError


class CorrectInputs(Files):
    """`transcript` as it was made; `document`: the same, corrected; `cues`: subtitles made from it, corrected, in any
    format. `document_base` and `cues_base` are their versions before the user's changes."""

    transcript: Path
    document: Path | None = None
    document_base: Path | None = None
    cues: Path | None = None
    cues_base: Path | None = None


class CorrectParams(Params):
    """There is nothing to choose."""


class CorrectOutputs(Files):
    """`transcript` with the corrections, and its plain `text`, one segment a line."""

    transcript: Path
    text: Path


CorrectJob = Job[CorrectInputs, CorrectParams]


class Engine(Protocol):
    """A backend."""

    def read(self, subtitles: Path) -> ReadCues: ...
    def adopt(self, base: Transcript, document: Transcript) -> Transcript: ...
    def carry(self, transcript: Transcript, base: Sequence[Cue], cues: Sequence[Cue]) -> Transcript: ...


def run(engine: Engine, job: CorrectJob) -> CorrectOutputs:
    """Return the corrected transcript first, then the corrected subtitles: only where those differ from `base`."""
    inputs, transcript = job.inputs, Transcript.read(job.inputs.transcript)
    if inputs.document:
        document = _read(inputs.document)
        base = Transcript.read(inputs.document_base) if inputs.document_base else transcript
        transcript = engine.adopt(base, document)
    if inputs.cues:
        before = engine.read(inputs.cues_base).cues if inputs.cues_base else ()
        transcript = engine.carry(transcript, before, engine.read(inputs.cues).cues)
    return _write(job, transcript)


def _read(document: Path) -> Transcript:
    try:
        return Transcript.read(document)
    except DocumentError as error:
        _, _, what = str(error).partition(": ")
        raise StageError(
            "correct.transcript",
            f"the corrected transcript is no longer valid: {what}",
            "correct that place, or drop the correction with `./reel edits drop`",
        ) from error


def stub(job: CorrectJob) -> CorrectOutputs:
    """Return the transcript unchanged: only the library reads subtitles."""
    return _write(job, Transcript.read(job.inputs.transcript))


def _write(job: CorrectJob, transcript: Transcript) -> CorrectOutputs:
    job.note("language", transcript.language)
    text = job.out_dir / "transcript.txt"
    write_atomically(text, transcript.text.encode())
    return CorrectOutputs(transcript=transcript.write(job.out_dir / "transcript.json"), text=text)


STAGE = Stage(
    name="correct",
    version=2,
    summary="take a user's corrections into the transcript",
    inputs=CorrectInputs,
    params=CorrectParams,
    outputs=CorrectOutputs,
    backends={
        "corrections": Backend(
            module="stages.correct.corrections",
            environment="lite",
            summary="the project's own alignment of words; files read as by `check`",
            resources=Resources(cpus=1, memory_gib=0.5),
        ),
    },
    run=run,
    stub=stub,
)
