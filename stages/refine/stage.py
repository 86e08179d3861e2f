"""Improve the text of a transcript or its translation without changing its meaning. The ids, times and number of
segments stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from shared.documents.transcript import Transcript
from shared.documents.translation import Translation
from shared.files import write_atomically
from shared.language_model import LANGUAGE_MODEL_PARAMS, LanguageModelParams, Usage, language_model_backends
from shared.stage import CORE_ENVIRONMENT, Backend, Fact, Files, Job, Resources, Stage
from shared.text.glossary import Glossary, glossary_of
from shared.text.joining_words import JoiningParams


class RefineInputs(Files):
    """`transcript`; `translation`: refined instead of it, with the transcript as its original; `glossary`:
    `shared.text.glossary.Glossary`, terms with their spellings."""

    transcript: Path
    translation: Path | None = None
    glossary: Path | None = None


class RefineParams(LanguageModelParams, JoiningParams):
    """The texts to refine, and how much a language model may change."""

    texts: Literal["all", "transcript", "translation"] = Field(
        "all", description="what a language model works on; what it does not gets the rules"
    )
    max_changed: float = Field(
        0.25, ge=0, le=1, description="the part of a line's words that may change; a line over it stays as it was"
    )
    sentence_openers: dict[str, tuple[str, ...]] = Field(
        {}, description="by language: words whose capital, after no mark, shows that a sentence begins"
    )


class RefineOutputs(Files):
    """The refined `transcript` or `translation`, and its plain `text`, one segment a line."""

    text: Path
    transcript: Path | None = None
    translation: Path | None = None


RefineJob = Job[RefineInputs, RefineParams]


@dataclass(frozen=True)
class Refined:
    """The result of a backend. `usage` is None if it called no language model. `provisional` says why another run may
    give a better result; it is empty if none may."""

    transcript: Transcript
    translation: Translation | None
    warnings: tuple[str, ...] = ()
    facts: dict[str, Fact] = field(default_factory=dict)
    usage: Usage | None = None
    provisional: str = ""


class Engine(Protocol):
    """A backend: it refines the translation if there is one, else the transcript."""

    def refine(
        self, transcript: Transcript, translation: Translation | None, glossary: Glossary, params: RefineParams,
        progress: Callable[[float], None],
    ) -> Refined: ...  # fmt: skip


def run(engine: Engine, job: RefineJob) -> RefineOutputs:
    """Refine the text, and check that the backend kept the segments."""
    transcript, translation = _read(job)
    refined = engine.refine(transcript, translation, _glossary(job, translation), job.params, job.progress)
    before = _texts(translation or transcript)
    after = _texts(refined.translation or refined.transcript)
    assert [segment for segment, _ in before] == [segment for segment, _ in after], "a backend changed the segments"
    job.note("changed", sum(old != new for old, new in zip(before, after, strict=True)))
    for name, value in refined.facts.items():
        job.note(name, value)
    if refined.usage:
        refined.usage.note(job.note, job.params)
    for warning in refined.warnings:
        job.warn(warning)
    if refined.provisional:
        job.mark_provisional(refined.provisional)
    return _write(job, refined.transcript, refined.translation)


def stub(job: RefineJob) -> RefineOutputs:
    """Write the text unchanged."""
    return _write(job, *_read(job))


def _read(job: RefineJob) -> tuple[Transcript, Translation | None]:
    translation = Translation.read(job.inputs.translation) if job.inputs.translation else None
    return Transcript.read(job.inputs.transcript), translation


def _glossary(job: RefineJob, translation: Translation | None) -> Glossary:
    """Return the terms; for a translation, those that the glossary renders in its language."""
    glossary = glossary_of(job.inputs.glossary)
    return glossary.into(translation.target) if translation else glossary


def _texts(document: Transcript | Translation) -> list[tuple[int, str]]:
    return [(segment.id, segment.text) for segment in document.segments]


def _write(job: RefineJob, transcript: Transcript, translation: Translation | None) -> RefineOutputs:
    job.note("language", translation.target if translation else transcript.language)
    refined = translation or transcript
    name = "translation" if translation else "transcript"
    text = job.out_dir / f"{name}.txt"
    write_atomically(text, "".join(f"{line}\n" for _, line in _texts(refined)).encode())
    document = refined.write(job.out_dir / f"{name}.json")
    return RefineOutputs(
        text=text, transcript=None if translation else document, translation=document if translation else None
    )


STAGE = Stage(
    name="refine",
    version=3,
    summary="improve a text without changing what it says",
    inputs=RefineInputs,
    params=RefineParams,
    outputs=RefineOutputs,
    backends={
        "rules": Backend(
            module="stages.refine.rules",
            environment=CORE_ENVIRONMENT,
            summary="spacing, punctuation, repeated words and capitals, where a rule cannot be wrong",
            resources=Resources(cpus=1, memory_gib=0.5),
            neutral_params=(*LANGUAGE_MODEL_PARAMS, "texts", "max_changed"),
        ),
        **language_model_backends("refine"),
    },
    run=run,
    stub=stub,
)
