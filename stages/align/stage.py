"""Give each word its time: a transcript in, the same text with consistent times out.

Later stages may rely on this: segments are in order and do not overlap; words are in order, at least a millisecond
long, inside their segment, and do not overlap. A decoder's own times break each of these rules at times. The text, the
speakers and the ids stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Protocol

from pydantic import Field

from shared.documents.transcript import Segment, Transcript, Word
from shared.stage import CORE_ENVIRONMENT, Backend, Fallback, Files, Job, Params, Resources, Stage
from shared.text.language import english_name, primary


class AlignInputs(Files):
    """`audio`: 16 kHz mono 16-bit WAV; `transcript`: `shared.documents.transcript.Transcript`."""

    audio: Path
    transcript: Path


class AlignParams(Params):
    """Parameters of the stage."""

    longest_word_ms: int = Field(
        2_000, ge=100, description="a longer word is cut: its first part at the head of a segment, else its last"
    )


class AlignOutputs(Files):
    """`transcript`: `shared.documents.transcript.Transcript`."""

    transcript: Path


AlignJob = Job[AlignInputs, AlignParams]


class Engine(Protocol):
    """A backend: it yields the words of each segment with better times, or with the times that they have."""

    languages: frozenset[str] | None  # that it can align, BCP-47; None: all

    def align(self, audio: Path, transcript: Transcript) -> Iterator[Sequence[Word]]: ...


def run(engine: Engine, job: AlignJob) -> AlignOutputs:
    """Align the words, and make their times consistent."""
    transcript = Transcript.read(job.inputs.transcript)
    _warn_of_others(engine, job, transcript)
    segments: list[Segment] = []
    for segment, words in zip(transcript.segments, engine.align(job.inputs.audio, transcript), strict=True):
        found = any(not word.interpolated for word in words)
        window = None if found else segment.window
        segments.append(segment.model_copy(update={"words": tuple(words), "window": window}))
        job.progress(len(segments) / len(transcript.segments))
    aligned = make_consistent(segments, transcript.duration_ms, job.params.longest_word_ms)
    return _write(job, transcript, transcript.model_copy(update={"segments": aligned}))


def stub(job: AlignJob) -> AlignOutputs:
    """Write the transcript with its own times, made consistent."""
    transcript = Transcript.read(job.inputs.transcript)
    aligned = make_consistent(transcript.segments, transcript.duration_ms, job.params.longest_word_ms)
    return _write(job, transcript, transcript.model_copy(update={"segments": aligned}))


def _warn_of_others(engine: Engine, job: AlignJob, transcript: Transcript) -> None:
    """Warn of the languages that the backend cannot align."""
    if engine.languages is None:
        return
    spoken = {primary(segment.language or transcript.language) for segment in transcript.segments}
    for language in sorted(spoken - engine.languages):
        job.warn(f"no aligner for {english_name(language)}: its words keep the times that the decoder gave them")


def make_consistent(segments: Sequence[Segment], duration_ms: int, longest_word_ms: int) -> tuple[Segment, ...]:
    """Return the segments with consistent times, changed as little as possible.

    Times go past `duration_ms` only if there are more words than milliseconds. A second call changes nothing.
    """
    clipped = [_clip(segment, longest_word_ms) for segment in segments]
    needs = [max(1, len(segment.words)) for segment in clipped]
    wants = [(segment.start_ms, segment.end_ms) for segment in clipped]
    places = fit_spans(wants, needs, 0, max(duration_ms, sum(needs)))
    return tuple(_place(segment, *place) for segment, place in zip(clipped, places, strict=True))


def fit_spans(wants: Sequence[tuple[int, int]], needs: Sequence[int], low: int, high: int) -> list[tuple[int, int]]:
    """Return spans as close to `wants` as possible: in order, between `low` and `high`, each at least as long as its
    number in `needs`.

    Two spans that overlap meet in the middle. `sum(needs)` must not be above `high - low`.
    """
    latest = [high - rest for rest in reversed(list(accumulate(reversed(needs), initial=0)))]
    starts = [start for start, _ in wants]
    ends = [end for _, end in wants]
    for index in range(1, len(wants)):
        if ends[index - 1] > starts[index]:
            ends[index - 1] = starts[index] = (ends[index - 1] + starts[index]) // 2
    spans: list[tuple[int, int]] = []
    cursor = low
    for index, need in enumerate(needs):
        start = min(max(starts[index], cursor), latest[index])
        cursor = min(max(ends[index], start + need), latest[index + 1])
        spans.append((start, cursor))
    return spans


def _clip(segment: Segment, longest_ms: int) -> Segment:
    """Return a segment with its long words shortened, and with the times of its words.

    Whisper stretches a word over the silence beside it: the first word to the left, any other to the right.
    """
    if not segment.words:
        return segment
    words = [
        word if word.end_ms - word.start_ms <= longest_ms
        else word.model_copy(update={"end_ms": word.start_ms + longest_ms} if index
                             else {"start_ms": word.end_ms - longest_ms})
        for index, word in enumerate(segment.words)
    ]  # fmt: skip
    start = words[0].start_ms
    end = max(start + 1, *(word.end_ms for word in words))
    return segment.model_copy(update={"words": tuple(words), "start_ms": start, "end_ms": end})


def _place(segment: Segment, start: int, end: int) -> Segment:
    wants = [(word.start_ms, word.end_ms) for word in segment.words]
    spans = fit_spans(wants, [1] * len(wants), start, end)
    words = tuple(
        word.model_copy(update={"start_ms": first, "end_ms": last})
        for word, (first, last) in zip(segment.words, spans, strict=True)
    )
    if words:
        start, end = words[0].start_ms, words[-1].end_ms
    return segment.model_copy(update={"words": words, "start_ms": start, "end_ms": end})


def _write(job: AlignJob, before: Transcript, after: Transcript) -> AlignOutputs:
    old = [word for segment in before.segments for word in segment.words]
    new = [word for segment in after.segments for word in segment.words]
    job.note("words", len(new))
    job.note("interpolated", sum(word.interpolated for word in new))
    job.note("moved", sum(one != other for one, other in zip(old, new, strict=True)))
    return AlignOutputs(transcript=after.write(job.out_dir / "transcript.json"))


STAGE = Stage(
    name="align",
    version=2,
    summary="give each word a reliable time",
    inputs=AlignInputs,
    params=AlignParams,
    outputs=AlignOutputs,
    backends={
        "decoder-times": Backend(
            module="stages.align.decoder_times",
            environment=CORE_ENVIRONMENT,
            summary="the times that the speech decoder gave, made consistent; reads no audio",
            resources=Resources(cpus=1, memory_gib=0.5, time_per_media_s=0.1),
        ),
        "whisperx": Backend(
            module="stages.align.whisperx",
            environment="speech",
            accelerators=("cuda", "mps"),
            card_library="torch",
            summary="forced alignment with a wav2vec 2.0 for the language spoken; digits and symbols included",
            by_language=True,
            resources=Resources(cpus=2, memory_gib=3.0, gpu_memory_gib=2.0, time_per_media_s=4.0),
            oom_fallbacks=(Fallback("the processor", device="cpu"),),
        ),
    },
    run=run,
    stub=stub,
)
