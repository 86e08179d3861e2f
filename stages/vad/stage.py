"""Find speech: 16 kHz mono audio in, speech regions out.

The backend gives a probability for each window of 32 ms. This stage turns them into regions, with the rules and the
parameter names of Silero's own helper, which would keep the whole audio and all its windows in memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from pydantic import Field

from shared.documents.speech import Region, SpeechRegions
from shared.stage import Backend, Fallback, Files, Job, Params, Resources, Stage

WINDOW_MS = 32
_SHORTEST_PAUSE_MS = 98  # as in Silero: a region is not cut at a shorter pause


class VadInputs(Files):
    """`audio`: 16 kHz mono 16-bit WAV."""

    audio: Path


class VadParams(Params):
    """Silero's parameters, in milliseconds.

    The regions follow speech closely, as diarization needs it: with pauses of 500 ms and 200 ms around speech, its
    error on a telephone call is 16 % instead of 3 %. `asr` joins and widens the regions for itself.
    """

    threshold: float = Field(0.5, gt=0, lt=1, description="a window is speech from this probability on")
    neg_threshold: float | None = Field(
        None, ge=0, lt=1, description="speech ends below this probability; by default 0.15 under `threshold`"
    )
    min_speech_duration_ms: int = Field(100, ge=0, description="speech shorter than this is dropped")
    max_speech_duration_ms: int = Field(
        30_000, ge=1_000, description="speech longer than this is cut at its longest late pause"
    )
    min_silence_duration_ms: int = Field(250, ge=0, description="a pause shorter than this does not end a region")
    speech_pad_ms: int = Field(60, ge=0, description="added on both sides of a region, so that no onset is lost")


class VadOutputs(Files):
    """`speech`: `shared.documents.speech.SpeechRegions`."""

    speech: Path


VadJob = Job[VadInputs, VadParams]


class Engine(Protocol):
    """A backend."""

    def duration_ms(self, audio: Path) -> int: ...

    def probabilities(self, audio: Path) -> Iterator[Sequence[float]]:
        """Yield the probability of speech in each window of `WINDOW_MS`, in blocks."""
        ...


def run(engine: Engine, job: VadJob) -> VadOutputs:
    """Find the regions. Keeps one number for each window in memory, 9 MB for ten hours, and the backend's one block."""
    duration_ms = engine.duration_ms(job.inputs.audio)
    probabilities = array("d")
    for block in engine.probabilities(job.inputs.audio):
        probabilities.extend(block)
        job.progress(len(probabilities) * WINDOW_MS / max(duration_ms, 1))
    return _write(job, duration_ms, find_regions(probabilities, duration_ms, job.params))


def stub(job: VadJob) -> VadOutputs:
    """Write one speech region, whatever the audio is."""
    return _write(job, 4_000, (Region(start_ms=500, end_ms=3_500),))


def find_regions(probabilities: Iterable[float], duration_ms: int, params: VadParams) -> tuple[Region, ...]:
    """Return the speech regions inside `duration_ms`, in order and without overlap."""
    spans: list[tuple[int, int]] = []
    for start, end, pauses in _spans(probabilities, duration_ms, params):
        if end - start >= params.min_speech_duration_ms:
            spans.extend(_cut(start, end, pauses, params.max_speech_duration_ms))
    return tuple(Region(start_ms=start, end_ms=end) for start, end in _pad(spans, duration_ms, params.speech_pad_ms))


_Pause = tuple[int, int]


def _spans(
    probabilities: Iterable[float], duration_ms: int, params: VadParams
) -> Iterator[tuple[int, int, list[_Pause]]]:
    """Yield each stretch of speech with the pauses inside it. The second, lower threshold keeps an unsteady voice in
    one stretch."""
    low = params.neg_threshold if params.neg_threshold is not None else max(params.threshold - 0.15, 0.01)
    start: int | None = None
    silent_since: int | None = None
    pauses: list[_Pause] = []
    for window, probability in enumerate(probabilities):
        now = window * WINDOW_MS
        if probability >= params.threshold:
            if start is None:
                start, pauses = now, []
            elif silent_since is not None and now - silent_since >= _SHORTEST_PAUSE_MS:
                pauses.append((silent_since, now))
            silent_since = None
        elif start is not None and probability < low:
            silent_since = now if silent_since is None else silent_since
            if now - silent_since >= params.min_silence_duration_ms:
                yield start, silent_since, pauses
                start = silent_since = None
    if start is not None:
        yield start, min(silent_since or duration_ms, duration_ms), pauses


def _cut(start: int, end: int, pauses: Sequence[_Pause], longest_ms: int) -> Iterator[_Pause]:
    """Yield a stretch in parts of at most `longest_ms`. It is cut at the longest pause in the second half of a part, or
    else at the last pause, or else at the limit."""
    while end - start > longest_ms:
        reachable = [pause for pause in pauses if start < pause[0] <= start + longest_ms]
        late = [pause for pause in reachable if pause[0] >= start + longest_ms // 2]
        hard = (start + longest_ms, start + longest_ms)
        pause = max(late, key=lambda p: p[1] - p[0]) if late else reachable[-1] if reachable else hard
        yield start, pause[0]
        start = pause[1]
    if end > start:
        yield start, end


def _pad(spans: Sequence[_Pause], duration_ms: int, pad_ms: int) -> Iterator[_Pause]:
    """Yield each span widened by `pad_ms`; two that would overlap share the gap between them."""
    for index, (start, end) in enumerate(spans):
        before = (spans[index - 1][1] + start) // 2 if index else 0
        after = (end + spans[index + 1][0]) // 2 if index + 1 < len(spans) else duration_ms
        yield max(start - pad_ms, before), min(end + pad_ms, after)


def _write(job: VadJob, duration_ms: int, regions: tuple[Region, ...]) -> VadOutputs:
    speech = SpeechRegions(duration_ms=duration_ms, regions=regions)
    job.note("speech_ms", speech.speech_ms)
    job.note("regions", len(regions))
    return VadOutputs(speech=speech.write(job.out_dir / "speech.json"))


STAGE = Stage(
    name="vad",
    version=2,
    summary="find speech",
    inputs=VadInputs,
    params=VadParams,
    outputs=VadOutputs,
    backends={
        "silero": Backend(
            module="stages.vad.silero",
            environment="lite",
            summary="Silero VAD 6 through ONNX Runtime; its weights come with faster-whisper",
            resources=Resources(cpus=1, memory_gib=0.5, time_per_media_s=0.5),
        ),
        "pyannote": Backend(
            module="stages.vad.pyannote",
            environment="speech",
            accelerators=("cuda",),
            card_library="torch",
            summary="pyannote's segmentation 3.0, any of its speakers",
            models=("segmentation",),
            resources=Resources(cpus=2, memory_gib=2.0, gpu_memory_gib=1.0, time_per_media_s=1.0),
            oom_fallbacks=(Fallback("the processor", device="cpu"),),
        ),
        "whisperx": Backend(
            module="stages.vad.pyannote",
            environment="speech",
            accelerators=("cuda",),
            card_library="torch",
            summary="the segmentation network of pyannote that whisperx ships; nothing to fetch",
            resources=Resources(cpus=2, memory_gib=2.0, gpu_memory_gib=1.0, time_per_media_s=1.0),
            oom_fallbacks=(Fallback("the processor", device="cpu"),),
        ),
    },
    run=run,
    stub=stub,
)
