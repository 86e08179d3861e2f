"""Transcribe speech: 16 kHz mono audio and its speech regions in, a transcript with timed words out.

Only what the regions name is decoded. Regions that stand close together are bridged, the rest of the silence is cut
out, and up to five minutes of what remains go to the backend as one pack; times are mapped back here. So the encoder
runs as often as in a bare call with the library's own speech filter, and ten hours need no more memory than five
minutes do. What Whisper is known to invent (text on silence, endless repetition) is left out, and said.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

from pydantic import Field

from shared.language import UNDETERMINED, parse_language, primary
from shared.speech import Region, SpeechRegions
from shared.stage import Backend, Files, Job, Params, Resources, Rung, Stage, StageError
from shared.timecode import clock
from shared.transcript import Segment, Transcript, Word

PACK_MS = 300_000
_LANGUAGE_MS = 30_000  # what Whisper hears at once, and enough to tell the language by
_UNSURE_LANGUAGE = 0.5  # faster-whisper's own threshold
# `You` on 20 s of silence: log probability -0.8, so sure enough for Whisper's rule, but its word 0.08. Segments of
# real speech have 0.75 and more, at 0 dB too; where one had 0.16, Whisper was not above `no_speech_threshold`.
_UNSURE_WORDS = 0.3


class AsrInputs(Files):
    """`audio`: 16 kHz mono 16-bit WAV; `speech`: `shared.speech.SpeechRegions`, without which all of it is heard."""

    audio: Path
    speech: Path | None = None


class AsrParams(Params):
    """faster-whisper's parameters and defaults. There is no temperature: sampling cannot be repeated."""

    language: str | None = Field(None, description="language that is spoken, BCP-47; by default it is identified")
    beam_size: int = Field(5, ge=1, le=20, description="hypotheses kept while decoding")
    patience: float = Field(1.0, gt=0, description="beam search patience")
    initial_prompt: str | None = Field(None, description="text before the first words of each pack, as an example")
    hotwords: str | None = Field(None, description="names and terms that the decoder should prefer")
    no_speech_threshold: float = Field(0.6, ge=0, le=1, description="above it, and unsure: taken for no speech")
    log_prob_threshold: float = Field(-1.0, le=0, description="below it the decoder counts as unsure")
    # Whisper's own 2.4 only makes it sample again; here the text would be lost. `It was the age of ...` from A Tale of
    # Two Cities has 2.45, what Whisper invents on noise 13 to 19.
    compression_ratio_threshold: float = Field(4.0, gt=1, description="text that compresses better is repetition")
    min_silence_duration_ms: int = Field(2_000, ge=0, description="a pause shorter than this is decoded too")
    speech_pad_ms: int = Field(200, ge=0, description="added to the speech on both sides of a longer pause")


class AsrOutputs(Files):
    """`transcript`: `shared.transcript.Transcript`, with words."""

    transcript: Path


AsrJob = Job[AsrInputs, AsrParams]


@dataclass(frozen=True)
class HeardWord:
    """A word as the decoder gave it: `text` begins with a space where one stands before it."""

    text: str
    start_ms: int
    end_ms: int
    probability: float


@dataclass(frozen=True)
class Heard:
    """A segment as the decoder gave it. Times count from the beginning of the pack, as if it had no gaps."""

    words: tuple[HeardWord, ...]
    average_log_probability: float
    no_speech_probability: float


class Engine(Protocol):
    """What a backend offers. A pack is a tuple of stretches of the audio, heard one after the other without gaps."""

    languages: frozenset[str]  # BCP-47

    def duration_ms(self, audio: Path) -> int: ...

    def identify_language(self, audio: Path, pack: Sequence[Region]) -> tuple[str, float]: ...

    def transcribe(
        self, audio: Path, pack: Sequence[Region], language: str, params: AsrParams, again: bool
    ) -> Iterator[Heard]:
        """What was heard. `again`: it came back as a repetition before, so discourage one."""


def run(engine: Engine, job: AsrJob) -> AsrOutputs:
    """Transcribe what the regions name; without any, the model is not asked."""
    speech = SpeechRegions.read(job.inputs.speech) if job.inputs.speech else _everything(engine, job.inputs.audio)
    wanted = _wanted_language(engine, job)
    language, probability = _language(engine, job, speech, wanted)
    left_out: list[str] = []
    said: list[Segment] = []
    for pack in make_packs(speech, job.params.min_silence_duration_ms, job.params.speech_pad_ms):
        for segment in _said(engine, job, pack, language, left_out):
            said.append(segment.model_copy(update={"id": len(said)}))
            job.progress(segment.end_ms / max(speech.duration_ms, 1))
    if left_out:
        job.warn(f"left out what nobody seems to have said: {left_out[0]}, {len(left_out)} in all")
    if not said and not wanted:  # noise sounds like some language too
        language, probability = UNDETERMINED, 0.0
    outputs = _write(job, speech.duration_ms, language, probability, said)
    job.note("left_out", len(left_out))
    return outputs


def stub(job: AsrJob) -> AsrOutputs:
    """A valid transcript of two segments, whatever the audio is."""
    said = []
    for index, start in enumerate((500, 2_000)):
        word = Word(text="Hello.", start_ms=start, end_ms=start + 500, probability=0.9)
        said.append(Segment(id=index, text="Hello.", start_ms=start, end_ms=start + 500, words=(word,)))
    return _write(job, 4_000, job.params.language or "en", 1.0, said)


def _everything(engine: Engine, audio: Path) -> SpeechRegions:
    duration_ms = engine.duration_ms(audio)
    return SpeechRegions(duration_ms=duration_ms, regions=(Region(start_ms=0, end_ms=duration_ms),))


def make_packs(speech: SpeechRegions, bridge_ms: int, pad_ms: int) -> tuple[tuple[Region, ...], ...]:
    """The stretches to decode, in packs of at most `PACK_MS`. A pack ends between two regions wherever it can."""
    packs: list[tuple[Region, ...]] = []
    pack: list[Region] = []
    for stretch in _stretches(speech, bridge_ms, pad_ms):
        if pack and sum(one.end_ms - one.start_ms for one in [*pack, stretch]) > PACK_MS:
            packs.append(tuple(pack))
            pack = []
        pack.append(stretch)
    return (*packs, tuple(pack)) if pack else tuple(packs)


def _stretches(speech: SpeechRegions, bridge_ms: int, pad_ms: int) -> Iterator[Region]:
    """The regions, one with the next where the pause is short and both fit into a pack; then widened."""
    spans: list[tuple[int, int]] = []
    for region in speech.regions:
        start, end = spans[-1] if spans else (0, -bridge_ms)
        if region.start_ms - end < bridge_ms and region.end_ms - start <= PACK_MS - 2 * pad_ms:
            spans[-1] = start, region.end_ms
        else:
            spans.append((region.start_ms, region.end_ms))
    for index, (start, end) in enumerate(spans):
        before = (spans[index - 1][1] + start) // 2 if index else 0
        after = (end + spans[index + 1][0]) // 2 if index + 1 < len(spans) else speech.duration_ms
        first, last = max(start - pad_ms, before), min(end + pad_ms, after)
        for at in range(first, last, PACK_MS):  # in one piece, unless a region is longer than a pack
            yield Region(start_ms=at, end_ms=min(at + PACK_MS, last))


def _wanted_language(engine: Engine, job: AsrJob) -> str | None:
    if job.params.language is None:
        return None
    try:
        tag = parse_language(job.params.language)
    except ValueError as error:
        raise StageError("asr.language", str(error), "give a tag like `en`, or leave it out") from error
    if primary(tag) not in engine.languages:
        raise StageError(
            "asr.language",
            f"{job.backend} with this model does not know {tag!r}; it knows {', '.join(sorted(engine.languages))}",
            "leave the language out to have it identified, or choose another model",
        )
    return tag


def _language(engine: Engine, job: AsrJob, speech: SpeechRegions, wanted: str | None) -> tuple[str, float]:
    """The language that was asked for, else the one that the first half minute of speech sounds like."""
    if wanted or not speech.regions:
        return wanted or UNDETERMINED, 1.0 if wanted else 0.0
    language, probability = engine.identify_language(job.inputs.audio, _first(speech.regions, _LANGUAGE_MS))
    if probability < _UNSURE_LANGUAGE:
        job.warn(f"took the language for {language!r}, but is not sure ({probability:.0%}); `language` sets it")
    return language, round(probability, 4)


def _first(regions: Sequence[Region], limit_ms: int) -> tuple[Region, ...]:
    taken: list[Region] = []
    for region in regions:
        left = limit_ms - sum(one.end_ms - one.start_ms for one in taken)
        if left <= 0:
            break
        taken.append(Region(start_ms=region.start_ms, end_ms=min(region.end_ms, region.start_ms + left)))
    return tuple(taken)


def _said(
    engine: Engine, job: AsrJob, pack: Sequence[Region], language: str, left_out: list[str], again: bool = False
) -> Iterator[Segment]:
    """What was said in a pack. Speech that came back as a repetition is decoded once more, more carefully."""
    for heard in engine.transcribe(job.inputs.audio, pack, primary(language), job.params, again):
        for segment in place(heard, pack):
            silent, repetitive = judge(heard, segment, job.params)
            if repetitive and not silent and not again and segment.end_ms > segment.start_ms:
                stretch = Region(start_ms=segment.start_ms, end_ms=segment.end_ms)
                yield from _said(engine, job, (stretch,), language, left_out, again=True)
            elif silent or repetitive:
                left_out.append(f"{segment.text[:60]!r} at {clock(segment.start_ms)}")
            else:
                yield segment


def judge(heard: Heard, segment: Segment, params: AsrParams) -> tuple[bool, bool]:
    """Whether a segment is likely to be text on silence, and whether it is a repetition."""
    word_probability = sum(word.probability for word in segment.words) / len(segment.words)
    unsure = heard.average_log_probability < params.log_prob_threshold or word_probability < _UNSURE_WORDS
    repetitive = compression_ratio(segment.text) > params.compression_ratio_threshold
    silent = heard.no_speech_probability > params.no_speech_threshold and (unsure or repetitive)
    return silent, repetitive


def compression_ratio(text: str) -> float:
    """How well a text compresses: Whisper's measure of repetition."""
    content = text.encode()
    return len(content) / len(zlib.compress(content))


def place(heard: Heard, pack: Sequence[Region]) -> Iterator[Segment]:
    """The segment at its place in the audio; cut in two where a silence was cut out inside it."""
    placed = [(_stretch_of((word.start_ms + word.end_ms) // 2, pack), word) for word in heard.words]
    for index, group in groupby(placed, key=lambda pair: pair[0]):
        words = tuple(_words((word for _, word in group), index, pack))
        if words:
            yield Segment(
                id=0,
                text="".join(word.text if word.joined else f" {word.text}" for word in words).strip(),
                start_ms=words[0].start_ms,
                end_ms=max(word.end_ms for word in words),
                words=words,
                average_log_probability=round(heard.average_log_probability, 4),
                no_speech_probability=round(heard.no_speech_probability, 4),
            )


def _stretch_of(time_ms: int, pack: Sequence[Region]) -> int:
    """Which stretch of the pack is heard at this time."""
    for index, stretch in enumerate(pack):
        time_ms -= stretch.end_ms - stretch.start_ms
        if time_ms < 0:
            return index
    return len(pack) - 1


def _words(heard: Iterable[HeardWord], index: int, pack: Sequence[Region]) -> Iterator[Word]:
    """Words of one stretch at their place in the audio, kept inside the stretch."""
    stretch = pack[index]
    shift = stretch.start_ms - sum(one.end_ms - one.start_ms for one in pack[:index])
    joined = False
    for word in heard:
        text = "".join(word.text.split())
        joined = joined and not word.text[:1].isspace()
        if not text:
            continue
        start = min(max(word.start_ms + shift, stretch.start_ms), stretch.end_ms)
        yield Word(
            text=text,
            start_ms=start,
            end_ms=max(start, min(word.end_ms + shift, stretch.end_ms)),
            probability=round(word.probability, 4),
            joined=joined,
        )
        joined = True


def _write(job: AsrJob, duration_ms: int, language: str, probability: float, segments: Sequence[Segment]) -> AsrOutputs:
    transcript = Transcript(
        language=language, language_probability=probability, duration_ms=duration_ms, segments=tuple(segments)
    )
    job.note("language", language)
    job.note("language_probability", probability)
    job.note("segments", len(segments))
    job.note("words", sum(len(segment.words) for segment in segments))
    return AsrOutputs(transcript=transcript.write(job.out_dir / "transcript.json"))


STAGE = Stage(
    name="asr",
    version=1,
    summary="transcribe speech, with a time for each word",
    inputs=AsrInputs,
    params=AsrParams,
    outputs=AsrOutputs,
    backends={
        "faster-whisper": Backend(
            module="stages.backends.faster_whisper",
            environment="lite",
            summary="Whisper through CTranslate2, 8-bit on the CPU",
            models=("whisper",),
            resources=Resources(cpus=2, memory_gib=2.0, gpu_memory_gib=2.0, time_per_media_s=10.0),
            oom_ladder=(
                Rung("two hypotheses", {"beam_size": 2}),
                Rung("8-bit weights", {"beam_size": 2}, {"compute_type": "int8"}),
                Rung("the processor", device="cpu"),
            ),
        ),
        "mlx-whisper": Backend(
            module="stages.backends.mlx_whisper",
            environment="mlx",
            summary="Whisper through MLX, for the GPUs of Apple silicon; greedy",
            models=("whisper",),
            resources=Resources(cpus=2, memory_gib=4.0, time_per_media_s=10.0),
            platforms=("darwin", "linux"),
            oom_ladder=(Rung("the processor", device="cpu"),),
        ),
    },
    run=run,
    stub=stub,
)
