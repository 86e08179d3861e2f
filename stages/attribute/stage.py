"""Give every word its speaker, by the turn it overlaps most."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from shared.documents.diarization import Diarization, Turn
from shared.documents.transcript import Segment, Transcript, Word
from shared.files import write_atomically
from shared.stage import CORE_ENVIRONMENT, Backend, Files, Job, Params, Resources, Stage

_NEAR_MS = 1_000  # a word just outside every turn belongs to the nearest; one further away has no speaker


class AttributeInputs(Files):
    """`transcript` with word times, and `turns`."""

    transcript: Path
    turns: Path


class AttributeParams(Params):
    """None."""


class AttributeOutputs(Files):
    """`transcript`: the same words with speakers; `text`: as plain text, one segment a line."""

    transcript: Path
    text: Path


AttributeJob = Job[AttributeInputs, AttributeParams]


class Engine(Protocol):
    """A backend."""

    def attribute(self, transcript: Transcript, turns: Sequence[Turn]) -> Transcript: ...


def run(engine: Engine, job: AttributeJob) -> AttributeOutputs:
    """Return the transcript with speakers."""
    transcript = Transcript.read(job.inputs.transcript)
    return _write(job, engine.attribute(transcript, Diarization.read(job.inputs.turns).one_at_a_time))


def stub(job: AttributeJob) -> AttributeOutputs:
    """Return the transcript unchanged."""
    return _write(job, Transcript.read(job.inputs.transcript))


def attribute(transcript: Transcript, turns: Sequence[Turn]) -> Transcript:
    """Return the transcript with a speaker for each word, and for each segment the one who speaks most of it.

    Linear in words and turns: both are in order of time, and the turns that can overlap a word start near it.
    """
    ordered = sorted(turns, key=lambda turn: turn.start_ms)
    starts = [turn.start_ms for turn in ordered]
    longest = max((turn.end_ms - turn.start_ms for turn in ordered), default=0)

    def speaker(start_ms: int, end_ms: int) -> str | None:
        first = bisect_left(starts, start_ms - longest - _NEAR_MS)
        last = bisect_left(starts, end_ms + _NEAR_MS)
        near = ordered[first:last]
        return max(near, key=lambda turn: _closeness(turn, start_ms, end_ms)).speaker if near else None

    def with_speaker(segment: Segment) -> Segment:
        words = tuple(_said_by(word, speaker(word.start_ms, word.end_ms)) for word in segment.words)
        spoken: Counter[str] = Counter()
        for word in words:
            if word.speaker:
                spoken[word.speaker] += max(word.end_ms - word.start_ms, 1)
        whole = spoken.most_common(1)[0][0] if spoken else speaker(segment.start_ms, segment.end_ms)
        return segment.model_copy(update={"words": words, "speaker": whole})

    return transcript.model_copy(update={"segments": tuple(with_speaker(segment) for segment in transcript.segments)})


def _closeness(turn: Turn, start_ms: int, end_ms: int) -> int:
    """Return the overlap in ms; for a turn apart from the word, the gap between them as a negative number."""
    return min(turn.end_ms, end_ms) - max(turn.start_ms, start_ms)


def _said_by(word: Word, speaker: str | None) -> Word:
    return word.model_copy(update={"speaker": speaker})


def _write(job: AttributeJob, transcript: Transcript) -> AttributeOutputs:
    job.note("language", transcript.language)
    text = job.out_dir / "transcript.txt"
    write_atomically(text, transcript.text.encode())
    return AttributeOutputs(transcript=transcript.write(job.out_dir / "transcript.json"), text=text)


STAGE = Stage(
    name="attribute",
    version=2,
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
