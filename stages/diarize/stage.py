"""Find who speaks when: speech regions in, speakers' turns out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self

from pydantic import Field, model_validator

from shared.documents.channel_levels import ChannelLevels
from shared.documents.diarization import Diarization, Turn, speaker_label, to_rttm
from shared.documents.speech import Region, SpeechRegions
from shared.files import write_atomically
from shared.stage import Backend, Fallback, Files, Job, Params, Resources, Stage
from stages.diarize.channels import turns_by_channel
from stages.diarize.speakers import Speakers, SpeakerTurn


class DiarizeInputs(Files):
    """`audio`: 16 kHz mono WAV; `speech`: its speech regions; `channels`: `shared.documents.channel_levels`, given if
    each of two people has a channel of the recording."""

    audio: Path
    speech: Path
    channels: Path | None = None


class DiarizeParams(Params):
    """The number of speakers, as far as it is known, and parameters of pyannote."""

    num_speakers: int | None = Field(None, ge=1, description="number of speakers; found automatically if not set")
    min_speakers: int | None = Field(None, ge=1, description="smallest possible number of speakers")
    max_speakers: int | None = Field(None, ge=1, description="largest possible number of speakers")

    clustering_threshold: float | None = Field(
        None,
        gt=0,
        le=2,
        description="pyannote: voices nearer than this are one speaker; by default as in the model",
    )
    min_duration_off: float | None = Field(
        None,
        ge=0,
        description="pyannote: a pause of fewer seconds does not end a turn; by default as in the model",
    )
    segmentation_batch_size: int | None = Field(
        None, ge=1, description="pyannote: stretches of 10 s in a batch; by default as in the model"
    )
    embedding_batch_size: int | None = Field(
        None, ge=1, description="pyannote: voices in a batch; by default as in the model"
    )

    def may_be(self, speakers: int) -> bool:
        """Tell whether the parameters allow this number of speakers."""
        least, most = self.min_speakers or 1, self.max_speakers or speakers
        return least <= speakers <= most if self.num_speakers is None else self.num_speakers == speakers

    @model_validator(mode="after")
    def _least_below_most(self) -> Self:
        if self.min_speakers and self.max_speakers and self.min_speakers > self.max_speakers:
            raise ValueError(f"min_speakers {self.min_speakers} is above max_speakers {self.max_speakers}")
        return self


class DiarizeOutputs(Files):
    """`turns`: `shared.documents.diarization.Diarization`; `rttm`: the same in the exchange format."""

    turns: Path
    rttm: Path


DiarizeJob = Job[DiarizeInputs, DiarizeParams]


class Engine(Protocol):
    """A backend."""

    def diarize(self, job: DiarizeJob, regions: Sequence[Region]) -> Speakers: ...


def run(engine: Engine, job: DiarizeJob) -> DiarizeOutputs:
    """Write the turns in the speech regions; none if there is no speech."""
    regions = SpeechRegions.read(job.inputs.speech).regions
    by_channel = bool(regions) and job.inputs.channels is not None and job.params.may_be(2)
    job.note("by_channel", by_channel)
    if by_channel and job.inputs.channels:
        return _write(job, turns_by_channel(ChannelLevels.read(job.inputs.channels), regions))
    return _write(job, engine.diarize(job, regions) if regions else Speakers(()))


def stub(job: DiarizeJob) -> DiarizeOutputs:
    """Write the turns of one speaker, who speaks in all regions."""
    regions = SpeechRegions.read(job.inputs.speech).regions
    return _write(job, Speakers([SpeakerTurn(region.start_ms, region.end_ms, 0) for region in regions]))


def _write(job: DiarizeJob, found: Speakers) -> DiarizeOutputs:
    """Write the turns, with the speakers numbered by first appearance."""
    numbers: dict[int, int] = {}
    turns = _named(found.turns, numbers)
    exclusive = None if found.exclusive is None else _named(found.exclusive, numbers)
    job.note("speakers", len(numbers))
    job.note("turns", len(turns))
    job.note("overlap_ms", _overlap_ms(turns))
    rttm = job.out_dir / "speakers.rttm"
    write_atomically(rttm, to_rttm(turns, "audio").encode())
    return DiarizeOutputs(
        turns=Diarization(turns=turns, exclusive=exclusive).write(job.out_dir / "turns.json"), rttm=rttm
    )


def _named(found: Sequence[SpeakerTurn], numbers: dict[int, int]) -> tuple[Turn, ...]:
    """Return the turns in order of time. A new speaker gets the next number in `numbers`."""
    return tuple(
        Turn(
            start_ms=turn.start_ms,
            end_ms=turn.end_ms,
            speaker=speaker_label(numbers.setdefault(turn.speaker, len(numbers))),
        )
        for turn in sorted(found)
    )


def _overlap_ms(turns: Sequence[Turn]) -> int:
    """Return the time in ms during which several people speak. Each speaker beyond the first counts."""
    overlap = busy_until = 0
    for turn in turns:
        overlap += max(min(turn.end_ms, busy_until) - turn.start_ms, 0)
        busy_until = max(busy_until, turn.end_ms)
    return overlap


STAGE = Stage(
    name="diarize",
    version=6,
    summary="tell who speaks when",
    inputs=DiarizeInputs,
    params=DiarizeParams,
    outputs=DiarizeOutputs,
    backends={
        "speaker-clusters": Backend(
            module="stages.diarize.clusters",
            environment="lite",
            summary="voice embeddings (GE2E) of short windows, clustered; no torch",
            models=("embedder",),
            resources=Resources(cpus=1, memory_gib=1.0),
        ),
        "pyannote": Backend(
            module="stages.diarize.pyannote",
            environment="speech",
            accelerators=("cuda",),
            card_library="torch",
            summary="pyannote's pipelines, community-1 and 3.1: who speaks, also two at once",
            models=("pipeline",),
            # 1.8 GiB in use at once on a card; torch reserves more. See `stages.diarize.pyannote`.
            resources=Resources(cpus=2, memory_gib=3.0, gpu_memory_gib=2.5, time_per_media_s=30.0),
            oom_fallbacks=(
                Fallback("batches of 8", {"segmentation_batch_size": 8, "embedding_batch_size": 8}),
                Fallback("batches of 1", {"segmentation_batch_size": 1, "embedding_batch_size": 1}),
                Fallback("the processor", device="cpu"),
            ),
        ),
    },
    run=run,
    stub=stub,
)
