"""Transcribe speech: 16 kHz mono audio and its speech regions in, a transcript with timed words out.

Only the speech regions are decoded. Regions that are close together are bridged, the rest of the silence is cut out,
and up to five minutes of what remains go to the backend as one pack; this stage maps the times back. So the encoder
runs as often as in a bare call with the library's own speech filter, and ten hours need no more memory than five
minutes. Text that Whisper is known to invent (on silence, or as endless repetition) is left out and recorded. Speech
that got no text is decoded a second time.

A backend that times no words names the window of each text. The stage divides the text into sentences and spreads their
words over the speech of that window, until stage `align` finds their times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field, field_validator

from shared.documents.removals import Removal, Removals
from shared.documents.speech import Region, SpeechRegions
from shared.documents.transcript import Segment, Transcript, Word
from shared.stage import Backend, Fallback, Files, Job, Resources, Stage, StageError
from shared.text.error_rates import ErrorRate
from shared.text.glossary import cut_hotwords
from shared.text.language import UNDETERMINED, primary
from shared.text.language_names import known_or_none
from shared.text.language_params import LanguageParams, entry_for
from shared.text.timecode import clock
from stages.asr.decoded import DecodedSegment
from stages.asr.doubts import Limits, echoes_prompt, judge, weak_language_warnings
from stages.asr.memory import (
    FASTER_WHISPER,
    FASTER_WHISPER_FALLBACKS,
    PARAKEET,
    PARAKEET_FALLBACKS,
    WHISPERX,
    WHISPERX_FALLBACKS,
)
from stages.asr.packs import make_packs, split_evenly
from stages.asr.placement import place_segment, spans_of, split_sentences
from stages.asr.spoken_language import Pack, Rules, Survey, in_one_language, survey
from stages.asr.untranscribed import untranscribed_regions

# Decoding options against repetition, without sampling. They spoil speech that repeats itself on purpose, so only a
# retry has them.
RETRY_PENALTY, RETRY_NGRAM = 1.1, 5
_IDENTIFY_MS = 30_000  # the window of Whisper's encoder, and enough to identify a language
_MOST_NAMED = 3  # stretches in other languages that a message names
# Text for speech that got none at first must be more probable than the text that noise gives.
_LEAST_RETRY_LOG_PROBABILITY = -0.8


class AsrInputs(Files):
    """`audio`: 16 kHz mono 16-bit WAV; `speech`: `shared.documents.speech.SpeechRegions`, without which all of the
    audio is transcribed."""

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
    error_rates: dict[str, ErrorRate] = Field(
        {}, description="by language: published error rates; reel warns of a high one"
    )
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
    no_speech_threshold: float = Field(
        0.6, ge=0, le=1, description="above it, text of which the decoder is unsure counts as no speech"
    )
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


class Engine(Protocol):
    """A backend. A pack is a tuple of stretches of the audio, decoded one after the other without gaps.

    A backend that decodes several packs at once also has a method `expect(packs)`, which gets all packs of a job before
    the first is transcribed.
    """

    languages: frozenset[str]  # BCP-47
    longest_ms: int  # the longest stretch that it takes

    def prompt_fits(self, text: str) -> bool:
        """Tell whether the decoder has room for the whole text as a prompt. A decoder that takes no prompt returns
        true: it cuts none off."""

    def duration_ms(self, audio: Path) -> int: ...

    def identify_language(self, audio: Path, pack: Sequence[Region]) -> Mapping[str, float]:
        """Return the probable languages with their probabilities; an empty mapping if the library reports none."""

    def transcribe(
        self, audio: Path, pack: Sequence[Region], language: str, params: AsrParams, retry: bool
    ) -> Iterator[DecodedSegment]:
        """Yield the segments that the model recognises. `retry` tells that the pack gave a repetition or no text
        before, so the backend should discourage repetition."""


def run(engine: Engine, job: AsrJob) -> AsrOutputs:
    """Transcribe the speech regions; without any, the model is not called."""
    speech = SpeechRegions.read(job.inputs.speech) if job.inputs.speech else _whole_audio(engine, job.inputs.audio)
    requested = _requested_language(engine, job)
    job = replace(job, params=_with_fitting_hotwords(engine, job))
    languages = _survey(engine, job, speech, requested)
    language, probability = languages.language, languages.probability
    decoder = _Decoder(engine, job, speech.regions if job.inputs.speech else ())
    segments: list[Segment] = []
    if expect := getattr(engine, "expect", None):
        expect([pack for _, pack in languages.passages])
    for pack_language, pack in languages.passages:
        other = None if pack_language == language else pack_language
        for segment in decoder.transcribe(pack, pack_language):
            segments.append(segment.model_copy(update={"id": len(segments), "language": other}))
            job.show(segment.start_ms, segment.end_ms, segment.text)
            job.progress(segment.end_ms / max(speech.duration_ms, 1))
    if left_out := decoder.left_out:
        first = f"{left_out[0].text[:60]!r} at {clock(left_out[0].start_ms)}"
        job.warn(f"left out text without speech: {first}, {len(left_out)} in all; removed.json lists them")
    spoken = (segment.language or language for segment in segments)
    for warning in weak_language_warnings(spoken, job.params.error_rates):
        job.warn(warning)
    if not segments and not requested:  # what was identified in noise is not a language
        language, probability = UNDETERMINED, 0.0
    transcript = Transcript(
        language=language,
        language_probability=probability,
        duration_ms=speech.duration_ms,
        segments=tuple(segments),
    )
    outputs = _write(job, transcript, left_out)
    job.note("left_out", len(left_out))
    return outputs


def stub(job: AsrJob) -> AsrOutputs:
    """Write a valid transcript of two segments, whatever the audio is."""
    segments = []
    for index, start in enumerate((500, 2_000)):
        word = Word(text="Hello.", start_ms=start, end_ms=start + 500, probability=0.9)
        segments.append(Segment(id=index, text="Hello.", start_ms=start, end_ms=start + 500, words=(word,)))
        job.show(start, start + 500, "Hello.")
    language = job.params.language or "en"
    transcript = Transcript(language=language, language_probability=1.0, duration_ms=4_000, segments=tuple(segments))
    return _write(job, transcript, ())


def _whole_audio(engine: Engine, audio: Path) -> SpeechRegions:
    duration_ms = engine.duration_ms(audio)
    return SpeechRegions(duration_ms=duration_ms, regions=(Region(start_ms=0, end_ms=duration_ms),))


def _survey(engine: Engine, job: AsrJob, speech: SpeechRegions, requested: str | None) -> Survey:
    """Return the packs to decode with their languages. A requested language is not identified."""
    params = job.params
    longest = min(engine.longest_ms, _IDENTIFY_MS) if params.multilingual else engine.longest_ms
    packs = make_packs(speech, params.min_silence_duration_ms, params.speech_pad_ms, longest)
    unidentified = Survey(requested or UNDETERMINED, 0.0, None, in_one_language(requested or UNDETERMINED, packs))
    if not packs or (requested and not params.multilingual):
        return replace(unidentified, probability=1.0 if requested else 0.0)
    rules = Rules(params.language_detection_threshold, 0) if params.multilingual else Rules()
    found = survey(
        packs, speech.regions, lambda pack: engine.identify_language(job.inputs.audio, pack), rules, requested
    )
    if found is None:
        job.warn(f"{job.backend} does not report which language it heard, so none is recorded; set `language`")
        return unidentified
    if not requested and found.probability < params.language_detection_threshold:
        second = f", {found.second[0]!r} {found.second[1]:.0%}" if found.second else ""
        job.warn(
            f"identified the language as {found.language!r}, but is not sure ({found.probability:.0%}{second});"
            " `language` sets it"
        )
    if foreign := found.foreign():
        named = ", ".join(
            f"{tag!r} at {clock(one.start_ms)} to {clock(one.end_ms)}" for tag, one in foreign[:_MOST_NAMED]
        )
        more = f" and {len(foreign) - _MOST_NAMED} more" if len(foreign) > _MOST_NAMED else ""
        job.warn(f"another language than {found.language!r} is spoken and transcribed: {named}{more}")
    return replace(found, probability=1.0 if requested else round(found.probability, 4))


def _requested_language(engine: Engine, job: AsrJob) -> str | None:
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


def _with_fitting_hotwords(engine: Engine, job: AsrJob) -> AsrParams:
    """Return the parameters with the hotwords that the decoder has room for beside the initial prompt."""
    prompt, hotwords = job.params.initial_prompt or "", job.params.hotwords or ""
    if not engine.prompt_fits(prompt):
        job.warn("the decoder uses only the end of `initial_prompt`, because it has no room for all of it")
    kept, left = cut_hotwords(hotwords, lambda words: engine.prompt_fits(f"{words} {prompt}".strip()))
    if left:
        job.warn(
            f"the decoder has no room for {len(left)} of the hotwords, from `{left[0]}` on; it takes the first ones, so"
            " put those that matter most first, in the glossary or in `hotwords`"
        )
    return job.params if kept == hotwords else job.params.model_copy(update={"hotwords": kept or None})


def _with_example_text(engine: Engine, params: AsrParams, language: str) -> AsrParams:
    """Return the parameters with the example text of the language as the prompt, if they have no prompt and it fits.

    Whisper continues the style of its prompt. Without one, a window that begins without punctuation stays so.
    """
    example = entry_for(params.example_text, language, "")
    if params.initial_prompt or not example or not engine.prompt_fits(f"{params.hotwords or ''} {example}".strip()):
        return params
    return params.model_copy(update={"initial_prompt": example})


class _Decoder:
    """Transcribes packs with one engine, and collects the text that it leaves out."""

    def __init__(self, engine: Engine, job: AsrJob, speech: Sequence[Region]) -> None:
        self._engine, self._job, self._speech = engine, job, speech
        self.left_out: list[Removal] = []

    def transcribe(self, pack: Pack, language: str) -> list[Segment]:
        """Return the segments of a pack, in order of time.

        A window of several utterances sometimes ends in the middle. So speech that got no text, or an echo of the
        example text, is decoded once more, by itself and without the example. Speech whose text was left out is not.
        """
        segments = list(self._decode(pack, language, retry=False))
        for region in untranscribed_regions(pack, self._speech, segments, self.left_out):
            stretches = tuple(split_evenly(region.start_ms, region.end_ms, self._engine.longest_ms))
            for segment in self._decode(stretches, language, retry=True):
                if segment.average_log_probability >= _LEAST_RETRY_LOG_PROBABILITY:
                    segments.append(segment)
        return sorted(segments, key=lambda segment: segment.start_ms)

    def _decode(self, pack: Pack, language: str, *, retry: bool) -> Iterator[Segment]:
        """Yield the segments of a pack. A stretch that gave a repetition is decoded once more, with penalties."""
        engine, job = self._engine, self._job
        spans, stretches = spans_of(pack, self._speech), spans_of(pack, ())
        params = job.params if retry else _with_example_text(engine, job.params, language)
        example = None if params.initial_prompt == job.params.initial_prompt else params.initial_prompt
        limits = Limits(params.no_speech_threshold, params.log_prob_threshold, params.compression_ratio_threshold)
        before = ""
        for decoded in engine.transcribe(job.inputs.audio, pack, primary(language), params, retry):
            segments = list(place_segment(decoded, stretches if decoded.window else spans, before))
            before = decoded.words[-1].text if decoded.words else before
            for segment in segments:
                doubt = judge(decoded, segment, limits)
                if doubt.is_repetitive and not doubt.is_silent and not retry and segment.end_ms > segment.start_ms:
                    stretch = decoded.window or Region(start_ms=segment.start_ms, end_ms=segment.end_ms)
                    yield from self._decode((stretch,), language, retry=True)
                elif doubt.is_silent or doubt.is_repetitive:
                    self.left_out.append(doubt.removal(segment))
                else:
                    yield from (part for part in split_sentences(segment) if not echoes_prompt(part.text, example))


def _write(job: AsrJob, transcript: Transcript, left_out: Sequence[Removal]) -> AsrOutputs:
    job.note("language", transcript.language)
    job.note("language_probability", transcript.language_probability)
    job.note("segments", len(transcript.segments))
    job.note("words", sum(len(segment.words) for segment in transcript.segments))
    return AsrOutputs(
        transcript=transcript.write(job.out_dir / "transcript.json"),
        left_out=Removals(removals=tuple(left_out)).write(job.out_dir / "left-out.json"),
    )


# The parameters that NeMo's models do not take.
_WHISPER_ONLY = ("beam_size", "patience", "initial_prompt", "example_text", "hotwords", "compute_type", "batch_size")

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
            resources=FASTER_WHISPER,
            load_params=("compute_type",),
            oom_fallbacks=FASTER_WHISPER_FALLBACKS,
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
            resources=PARAKEET,
            neutral_params=_WHISPER_ONLY,
            oom_fallbacks=PARAKEET_FALLBACKS,
        ),
        "nemo-canary": Backend(
            module="stages.asr.nemo_canary",
            environment="nemo",
            accelerators=("cuda",),
            card_library="torch",
            summary="Canary-Qwen, a speech encoder that Qwen3 reads; English; stage align times the words",
            models=("recognizer", "tokenizer"),
            resources=Resources(cpus=2, memory_gib=16.0, gpu_memory_gib=12.0, time_base_s=600.0, time_per_media_s=30.0),
            neutral_params=_WHISPER_ONLY,
            oom_fallbacks=(Fallback("the processor", device="cpu"),),
        ),
        "whisperx": Backend(
            module="stages.asr.whisperx",
            environment="speech",
            accelerators=("cuda",),
            card_library="ctranslate2",
            summary="Whisper through CTranslate2, several windows at once; stage align times the words",
            models=("whisper",),
            resources=WHISPERX,
            load_params=("compute_type",),
            oom_fallbacks=WHISPERX_FALLBACKS,
        ),
    },
    run=run,
    stub=stub,
)
