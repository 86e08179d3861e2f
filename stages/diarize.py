"""Tell who speaks when."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from pydantic import Field, model_validator

from shared.diarization import Diarization, Turn, speaker_label, to_rttm
from shared.files import write_atomically
from shared.speech import Region, SpeechRegions
from shared.stage import Backend, Files, Job, Params, Resources, Stage


class DiarizeInputs(Files):
    """`audio`: 16 kHz mono WAV; `speech`: its speech regions."""

    audio: Path
    speech: Path


class DiarizeParams(Params):
    """How many people speak, as far as that is known."""

    num_speakers: int | None = Field(None, ge=1, description="how many people speak; found out when not given")
    min_speakers: int | None = Field(None, ge=1, description="at least so many people speak")
    max_speakers: int | None = Field(None, ge=1, description="at most so many people speak")

    @model_validator(mode="after")
    def _least_below_most(self) -> Self:
        if self.min_speakers and self.max_speakers and self.min_speakers > self.max_speakers:
            raise ValueError(f"min_speakers {self.min_speakers} is above max_speakers {self.max_speakers}")
        return self


class DiarizeOutputs(Files):
    """`turns`: `shared.diarization.Diarization`; `rttm`: the same in the exchange format."""

    turns: Path
    rttm: Path


DiarizeJob = Job[DiarizeInputs, DiarizeParams]


class SpeakerTurn(NamedTuple):
    """A turn as a backend gives it: times in ms, the speaker as a number of any kind."""

    start_ms: int
    end_ms: int
    speaker: int


class Engine(Protocol):
    """What a backend offers."""

    def diarize(self, job: DiarizeJob, regions: Sequence[Region]) -> Sequence[SpeakerTurn]: ...


def run(engine: Engine, job: DiarizeJob) -> DiarizeOutputs:
    """Turns for the speech regions; none where nobody speaks."""
    speech = SpeechRegions.read(job.inputs.speech)
    found = engine.diarize(job, speech.regions) if speech.regions else ()
    return _write(job, sorted(found))


def stub(job: DiarizeJob) -> DiarizeOutputs:
    """One speaker, who speaks wherever there is speech."""
    return _write(job, [SpeakerTurn(r.start_ms, r.end_ms, 0) for r in SpeechRegions.read(job.inputs.speech).regions])


def _write(job: DiarizeJob, found: Sequence[SpeakerTurn]) -> DiarizeOutputs:
    """Number the speakers by first appearance, whatever the backend called them."""
    numbers: dict[int, int] = {}
    turns = []
    for turn in found:
        number = numbers.setdefault(turn.speaker, len(numbers))
        turns.append(Turn(start_ms=turn.start_ms, end_ms=turn.end_ms, speaker=speaker_label(number)))
    job.note("speakers", len(numbers))
    job.note("turns", len(turns))
    rttm = job.out_dir / "speakers.rttm"
    write_atomically(rttm, to_rttm(turns, "audio").encode())
    return DiarizeOutputs(turns=Diarization(turns=tuple(turns)).write(job.out_dir / "turns.json"), rttm=rttm)


STAGE = Stage(
    name="diarize",
    version=1,
    summary="tell who speaks when",
    inputs=DiarizeInputs,
    params=DiarizeParams,
    outputs=DiarizeOutputs,
    backends={
        "speaker-clusters": Backend(
            module="stages.backends.speaker_clusters",
            environment="lite",
            summary="voice embeddings (GE2E) of short windows, clustered; no torch",
            models=("embedder",),
            resources=Resources(cpus=1, memory_gib=1.0),
        ),
    },
    run=run,
    stub=stub,
)
