"""Transcribe speech: 16 kHz mono audio and its speech regions in, a transcript with timed words out.

Only what the regions name is decoded. Regions that stand close together are bridged, the rest of the silence is cut
out, and up to five minutes of what remains go to the backend as one pack; times are mapped back here. So the encoder
runs as often as in a bare call with the library's own speech filter, and ten hours need no more memory than five
minutes do. What Whisper is known to invent (text on silence, endless repetition) is left out, and said. Speech that got
no text is decoded a second time.

A backend that times no words says in which window each text was heard; the text becomes sentences here, and their words
are spread over the speech of that window until stage `align` finds them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field, JsonValue, field_validator

from shared.documents.removals import Removal, Removals
from shared.documents.speech import Region, SpeechRegions
from shared.documents.transcript import Segment, Transcript, Word
from shared.stage import Backend, Fallback, Files, Job, Resources, Stage, StageError
from shared.text.error_rates import ErrorRate
from shared.text.glossary import cut_hotwords
from shared.text.language import UNDETERMINED, primary
from shared.text.language_names import known_or_none
from shared.text.language_params import LanguageParams, of_language
from shared.text.timecode import clock
from shared.whisper_memory import whisper_resources
from stages.asr.doubts import Limits, echoes, judge, weaknesses
from stages.asr.heard import Heard
from stages.asr.missed import missed
from stages.asr.packs import cut, make_packs
from stages.asr.placement import place, sentences, spans_of
from stages.asr.spoken_language import Rules, Survey, in_one, survey

# Against a repetition, without sampling. They spoil what repeats itself by intent, so they are for the second try only.
AGAIN_PENALTY, AGAIN_NGRAM = 1.1, 5
_LANGUAGE_MS = 30_000  # what Whisper hears at once, and enough to tell the language by
_TOLD = 3  # stretches in other languages that a message names
# What is found in speech that got no text at first must be more probable than what noise gives.
_SURE_AGAIN = -0.8


class AsrInputs(Files):
    """`audio`: 16 kHz mono 16-bit WAV; `speech`: `shared.documents.speech.SpeechRegions`, without which all of it is
    heard."""

    audio: Path
    speech: Path | None = None


ComputeType = Literal[
    "int8", "int8_float32", "int8_float16", "int8_bfloat16", "int16", "float16", "bfloat16", "float32"
]  # CTranslate2's


class AsrParams(LanguageParams):
    """faster-whisper's parameters and defaults. There is no temperature: sampling cannot be repeated."""

    language: str | None = Field(None, description="language that is spoken, BCP-47; by default it is identified")
    multilingual: bool = Field(
        False, description="let every stretch of speech, however short, have a language of its own"
    )
    language_detection_threshold: float = Field(
        0.6,
        ge=0,
        le=1,
        description="below it a language counts as unsure: reel warns of it, and does not use it for a stretch",
    )
    beam_size: int = Field(5, ge=1, le=20, description="hypotheses kept while decoding")
    patience: float = Field(1.0, gt=0, description="beam search patience")
    initial_prompt: str | None = Field(
        None, description="text before each window, as an example; by default `example_text` of the language"
    )
    example_text: dict[str, str] = Field(
        {}, description="by language: sentences with punctuation, which the decoder then writes too"
    )
    error_rates: dict[str, ErrorRate] = Field({}, description="by language: published rates; a high one is told")
    hotwords: str | None = Field(
        None, description="names and terms that the decoder should prefer; by default those of the glossary"
    )
    compute_type: ComputeType | None = Field(
        None, description="precision of the weights; by default int8 on the processor and float16 on a GPU"
    )
    batch_size: int | None = Field(
        None,
        ge=1,
        description="windows decoded at once; by default 8, and with whisperx 4 on the processor and 16 on a GPU",
    )
    no_speech_threshold: float = Field(0.6, ge=0, le=1, description="above it, and unsure: taken as no speech")
    log_prob_threshold: float = Field(-1.0, le=0, description="below it the decoder counts as unsure")
    # Whisper's own 2.4 only makes it sample again; here the text would be lost. `It was the age of ...` from A Tale of
    # Two Cities has 2.45, what Whisper invents on noise 13 to 19.
    compression_ratio_threshold: float = Field(4.0, gt=1, description="text that compresses better is repetition")
    min_silence_duration_ms: int = Field(2_000, ge=0, description="a pause shorter than this is decoded too")
    speech_pad_ms: int = Field(200, ge=0, description="added to the speech on both sides of a longer pause")

    _known = field_validator("language")(known_or_none)


class AsrOutputs(Files):
    """`transcript`: `shared.documents.transcript.Transcript`, with words; `left_out`:
    `shared.documents.removals.Removals`, with the text that the decoder wrote without speech."""

    transcript: Path
    left_out: Path


AsrJob = Job[AsrInputs, AsrParams]


@dataclass(frozen=True)
class _Pack:
    """Stretches that are decoded as one, and all regions of speech."""

    stretches: tuple[Region, ...]
    speech: Sequence[Region]


class Engine(Protocol):
    """A backend. A pack is a tuple of stretches of the audio, decoded one after the other without gaps."""

    languages: frozenset[str]  # BCP-47
    longest_ms: int  # the longest stretch that it takes

    def hears_prompt(self, text: str) -> bool:
        """Return whether the decoder has room for the whole text as a prompt; a decoder without prompts has none."""

    def duration_ms(self, audio: Path) -> int: ...

    def identify_language(self, audio: Path, pack: Sequence[Region]) -> Mapping[str, float]:
        """Return the languages that are probably spoken, with their probabilities; none if the library does not report
        them."""

    def transcribe(
        self, audio: Path, pack: Sequence[Region], language: str, params: AsrParams, again: bool
    ) -> Iterator[Heard]:
        """Yield what the model recognises. `again`: the pack came back as a repetition, or without text, before; so
        discourage a repetition."""


def run(engine: Engine, job: AsrJob) -> AsrOutputs:
    """Transcribe what the regions name; without any, the model is not asked."""
    speech = SpeechRegions.read(job.inputs.speech) if job.inputs.speech else _everything(engine, job.inputs.audio)
    wanted = _wanted_language(engine, job)
    job = replace(job, params=_with_room(engine, job))
    spoken_in = _survey(engine, job, speech, wanted)
    language, probability = spoken_in.language, spoken_in.probability
    left_out: list[Removal] = []
    said: list[Segment] = []
    regions = speech.regions if job.inputs.speech else ()
    for spoken, pack in spoken_in.passages:
        for segment in _heard_twice(engine, job, _Pack(pack, regions), spoken, left_out):
            other = None if spoken == language else spoken
            said.append(segment.model_copy(update={"id": len(said), "language": other}))
            job.show(segment.start_ms, segment.end_ms, segment.text)
            job.progress(segment.end_ms / max(speech.duration_ms, 1))
    if left_out:
        first = f"{left_out[0].text[:60]!r} at {clock(left_out[0].start_ms)}"
        job.warn(f"left out text without speech: {first}, {len(left_out)} in all; removed.json lists them")
    for warning in weaknesses((segment.language or language for segment in said), job.params.error_rates):
        job.warn(warning)
    if not said and not wanted:  # noise sounds like some language too
        language, probability = UNDETERMINED, 0.0
    outputs = _write(job, speech.duration_ms, language, probability, said, left_out)
    job.note("left_out", len(left_out))
    return outputs


def stub(job: AsrJob) -> AsrOutputs:
    """A valid transcript of two segments, whatever the audio is."""
    said = []
    for index, start in enumerate((500, 2_000)):
        word = Word(text="Hello.", start_ms=start, end_ms=start + 500, probability=0.9)
        said.append(Segment(id=index, text="Hello.", start_ms=start, end_ms=start + 500, words=(word,)))
        job.show(start, start + 500, "Hello.")
    return _write(job, 4_000, job.params.language or "en", 1.0, said, ())


def _everything(engine: Engine, audio: Path) -> SpeechRegions:
    duration_ms = engine.duration_ms(audio)
    return SpeechRegions(duration_ms=duration_ms, regions=(Region(start_ms=0, end_ms=duration_ms),))


def _survey(engine: Engine, job: AsrJob, speech: SpeechRegions, wanted: str | None) -> Survey:
    """Return what to decode, in which language. A language that was asked for is not identified."""
    params = job.params
    longest = min(engine.longest_ms, _LANGUAGE_MS) if params.multilingual else engine.longest_ms
    packs = make_packs(speech, params.min_silence_duration_ms, params.speech_pad_ms, longest)
    if not packs or (wanted and not params.multilingual):
        return Survey(wanted or UNDETERMINED, 1.0 if wanted else 0.0, None, in_one(wanted or UNDETERMINED, packs))
    rules = Rules(params.language_detection_threshold, 0) if params.multilingual else Rules()
    found = survey(packs, speech.regions, lambda pack: engine.identify_language(job.inputs.audio, pack), rules, wanted)
    if found is None:
        job.warn(f"{job.backend} does not report which language it heard, so none is recorded; set `language`")
        return Survey(wanted or UNDETERMINED, 0.0, None, in_one(wanted or UNDETERMINED, packs))
    if not wanted and found.probability < params.language_detection_threshold:
        second = f", {found.second[0]!r} {found.second[1]:.0%}" if found.second else ""
        job.warn(
            f"identified the language as {found.language!r}, but is not sure ({found.probability:.0%}{second});"
            " `language` sets it"
        )
    if foreign := found.foreign():
        told = ", ".join(f"{tag!r} at {clock(one.start_ms)} to {clock(one.end_ms)}" for tag, one in foreign[:_TOLD])
        more = f" and {len(foreign) - _TOLD} more" if len(foreign) > _TOLD else ""
        job.warn(f"another language than {found.language!r} is spoken and transcribed: {told}{more}")
    return replace(found, probability=1.0 if wanted else round(found.probability, 4))


def _wanted_language(engine: Engine, job: AsrJob) -> str | None:
    tag = job.params.language
    if tag is None:
        return None
    if primary(tag) not in engine.languages:
        raise StageError(
            "asr.language",
            f"{job.backend} with this model does not know {tag!r}; it knows {', '.join(sorted(engine.languages))}",
            "leave the language out to have it identified, or choose another model",
        )
    return tag


def _with_room(engine: Engine, job: AsrJob) -> AsrParams:
    """The parameters with the hotwords that the decoder has room for beside the initial prompt."""
    prompt, hotwords = job.params.initial_prompt or "", job.params.hotwords or ""
    if not engine.hears_prompt(prompt):
        job.warn("the decoder uses only the end of `initial_prompt`, because it has no room for all of it")
    kept, left = cut_hotwords(hotwords, lambda words: engine.hears_prompt(f"{words} {prompt}".strip()))
    if left:
        job.warn(
            f"the decoder has no room for {len(left)} of the hotwords, from `{left[0]}` on; it takes the first ones, so"
            " put those that matter most first, in the glossary or in `hotwords`"
        )
    return job.params if kept == hotwords else job.params.model_copy(update={"hotwords": kept or None})


def with_example(engine: Engine, params: AsrParams, language: str) -> AsrParams:
    """Return the parameters with the example of the language as the prompt, if there is no other and it has room.

    Whisper continues the style of its prompt. Without one, a window that begins with a bare word stays bare.
    """
    example = of_language(params.example_text, language, "")
    if params.initial_prompt or not example or not engine.hears_prompt(f"{params.hotwords or ''} {example}".strip()):
        return params
    return params.model_copy(update={"initial_prompt": example})


def _heard_twice(engine: Engine, job: AsrJob, pack: _Pack, language: str, left_out: list[Removal]) -> list[Segment]:
    """Return the segments of a pack, in order of time. Speech that got no text, or an echo of the example, is decoded
    once more, by itself and without the example: a window of several utterances sometimes ends in the middle. Speech
    whose text was left out is not."""
    said = list(_said(engine, job, pack, language, left_out))
    for region in missed(pack.stretches, pack.speech, said, left_out):
        stretches = tuple(cut(region.start_ms, region.end_ms, engine.longest_ms))
        for segment in _said(engine, job, _Pack(stretches, pack.speech), language, left_out, again=True):
            if segment.average_log_probability >= _SURE_AGAIN:
                said.append(segment)
    return sorted(said, key=lambda segment: segment.start_ms)


def _said(
    engine: Engine, job: AsrJob, pack: _Pack, language: str, left_out: list[Removal], again: bool = False
) -> Iterator[Segment]:
    """Yield the segments of a pack. A stretch that came back as a repetition is decoded once more, with penalties."""
    spans, stretches = spans_of(pack.stretches, pack.speech), spans_of(pack.stretches, ())
    before = ""
    params = job.params if again else with_example(engine, job.params, language)
    example = None if params.initial_prompt == job.params.initial_prompt else params.initial_prompt
    limits = Limits(params.no_speech_threshold, params.log_prob_threshold, params.compression_ratio_threshold)
    for heard in engine.transcribe(job.inputs.audio, pack.stretches, primary(language), params, again):
        segments = list(place(heard, stretches if heard.window else spans, before))
        before = heard.words[-1].text if heard.words else before
        for segment in segments:
            silent, repetitive, evidence = judge(heard, segment, limits)
            if repetitive and not silent and not again and segment.end_ms > segment.start_ms:
                stretch = heard.window or Region(start_ms=segment.start_ms, end_ms=segment.end_ms)
                yield from _said(engine, job, _Pack((stretch,), pack.speech), language, left_out, again=True)
            elif silent or repetitive:
                left_out.append(
                    Removal(
                        start_ms=segment.start_ms, end_ms=segment.end_ms, text=segment.text,
                        reason="no-speech" if silent else "repetitive", evidence=evidence,
                    )
                )  # fmt: skip
            else:
                yield from (one for one in sentences(segment) if not echoes(one.text, example))


def _write(
    job: AsrJob,
    duration_ms: int,
    language: str,
    probability: float,
    segments: Sequence[Segment],
    left_out: Sequence[Removal],
) -> AsrOutputs:
    transcript = Transcript(
        language=language, language_probability=probability, duration_ms=duration_ms, segments=tuple(segments)
    )
    job.note("language", language)
    job.note("language_probability", probability)
    job.note("segments", len(segments))
    job.note("words", sum(len(segment.words) for segment in segments))
    return AsrOutputs(
        transcript=transcript.write(job.out_dir / "transcript.json"),
        left_out=Removals(removals=tuple(left_out)).write(job.out_dir / "left-out.json"),
    )


_ONE, _ONE_8_BIT = whisper_resources(1, 4.0), whisper_resources(1, 4.0, weights=0.5)
_8_BIT: Mapping[str, JsonValue] = {"batch_size": 1, "compute_type": "int8_float16"}  # on a card

# What Whisper is told of, and those who are not asked in words hear nothing of.
_DECODING = ("beam_size", "patience", "initial_prompt", "example_text", "hotwords", "compute_type", "batch_size")

STAGE = Stage(
    name="asr",
    version=9,
    summary="transcribe speech, with a time for each word",
    inputs=AsrInputs,
    params=AsrParams,
    outputs=AsrOutputs,
    backends={
        "faster-whisper": Backend(
            module="stages.asr.faster_whisper",
            environment="lite",
            accelerators=("cuda",),
            card_library="ctranslate2",
            card_environment="lite-cuda",
            summary="Whisper through CTranslate2, eight windows at once, with the decoder's word times",
            models=("whisper",),
            resources=whisper_resources(windows=8, memory_gib=3.0),
            load_params=("compute_type",),
            oom_fallbacks=(
                Fallback("one window at once", {"batch_size": 1}, resources=_ONE),
                Fallback("two hypotheses", {"batch_size": 1, "beam_size": 2}, resources=_ONE),
                Fallback("8-bit weights", {**_8_BIT, "beam_size": 2}, only_on="cuda", resources=_ONE_8_BIT),
                Fallback("8-bit weights", {"batch_size": 1, "beam_size": 2, "compute_type": "int8"}, only_on="cpu"),
                Fallback("the processor", device="cpu"),
            ),
        ),
        "mlx-whisper": Backend(
            module="stages.asr.mlx_whisper",
            environment="mlx",
            accelerators=("mps",),
            summary="Whisper through MLX, for the GPUs of Apple silicon; greedy",
            models=("whisper",),
            resources=Resources(cpus=2, memory_gib=4.0, time_per_media_s=10.0),
            platforms=("darwin", "linux"),
            load_params=("compute_type",),
            neutral_params=("beam_size", "patience", "batch_size"),
            oom_fallbacks=(Fallback("the processor", device="cpu"),),
        ),
        "nemo-parakeet": Backend(
            module="stages.asr.nemo_parakeet",
            environment="nemo",
            accelerators=("cuda",),
            card_library="torch",
            summary="Parakeet, a transducer that times its words; v2 hears English, v3 25 European languages",
            models=("recognizer",),
            resources=Resources(cpus=2, memory_gib=8.0, gpu_memory_gib=6.0, time_base_s=600.0, time_per_media_s=10.0),
            neutral_params=_DECODING,
            oom_fallbacks=(Fallback("the processor", device="cpu"),),
        ),
        "nemo-canary": Backend(
            module="stages.asr.nemo_canary",
            environment="nemo",
            accelerators=("cuda",),
            card_library="torch",
            summary="Canary-Qwen, a speech encoder that Qwen3 reads; English; stage align times the words",
            models=("recognizer", "tokenizer"),
            resources=Resources(cpus=2, memory_gib=16.0, gpu_memory_gib=12.0, time_base_s=600.0, time_per_media_s=30.0),
            neutral_params=_DECODING,
            oom_fallbacks=(Fallback("the processor", device="cpu"),),
        ),
        "whisperx": Backend(
            module="stages.asr.whisperx",
            environment="speech",
            accelerators=("cuda",),
            card_library="ctranslate2",
            summary="Whisper through CTranslate2, several windows at once; stage align times the words",
            models=("whisper",),
            resources=whisper_resources(windows=12, memory_gib=4.0),  # as many as a pack has
            load_params=("compute_type",),
            oom_fallbacks=(
                Fallback("four windows at once", {"batch_size": 4}, resources=whisper_resources(4, 4.0)),
                Fallback("one window at once", {"batch_size": 1}, resources=_ONE),
                Fallback("8-bit weights", _8_BIT, only_on="cuda", resources=_ONE_8_BIT),
                Fallback("8-bit weights", {"batch_size": 1, "compute_type": "int8"}, only_on="cpu"),
                Fallback("the processor", {"batch_size": 1}, device="cpu"),
            ),
        ),
    },
    run=run,
    stub=stub,
)
