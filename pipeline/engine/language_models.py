"""Chooses the models that depend on the spoken language, which is known once there is a transcript.

They are not set up before the run. A missing one is downloaded when its step begins, if that is allowed. If it cannot
be downloaded, the step runs without it and says so; only a translation needs the model for its pair of languages, and
fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.base import events
from pipeline.base.errors import Missing
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.fetch_many import require
from pipeline.plan.model import AllOf, FirstOf, FromCorrection, FromStep, SingleSource, Source, Step
from pipeline.plan.registry import directions_for
from pipeline.store.results import StoredResult
from shared.documents.base import DocumentError
from shared.documents.transcript import Transcript
from shared.text.language import is_same, primary

_TRANSCRIPT = "transcript"  # the input of a step that states the spoken language

Emit = Callable[[events.Event], None]


def for_language(step: Step, language: str, is_complete: Callable[[str], bool]) -> Step:
    """Return the step with the models for this language: the model for the language itself, if it is complete, with the
    language as its role, and the models for translating from it."""
    if not step.waits_for_language:
        return step
    name = step.language_models.get(primary(language))
    found = {primary(language): name} if name and is_complete(name) else {}
    models = {**step.models, **found, **_translation_models(step, language)}
    return replace(step, models=models, language_models={}, direction_models={})


def _translation_models(step: Step, language: str) -> Mapping[str, str]:
    """Return the models for translating from `language`, by role.

    None are needed if the text is only copied, or if the stage does not support the pair; all of them may be needed if
    the language is not known.
    """
    if not (language and step.direction_models):
        return step.direction_models
    target = str(step.params.model_dump()["target"])
    roles = directions_for(step.backend_name, language, target)
    return {role: name for role, name in step.direction_models.items() if role in roles}


def transcript_language(inputs: Mapping[str, Source], results: Mapping[str, StoredResult]) -> str:
    """Return the language of the transcript that a step takes; empty if it takes none."""
    source = inputs.get(_TRANSCRIPT)
    if isinstance(source, FirstOf) and source.sources:
        source = source.sources[-1]  # the complete transcript, after a shortened one that may not exist
    return str(results[source.step].facts.get("language", "")) if isinstance(source, FromStep) else ""


def for_inputs(inputs: Mapping[str, Source], language: str) -> Mapping[str, Source]:
    """Return the inputs with the corrections in this language, and without those in other languages."""

    def in_language(source: SingleSource) -> Iterator[SingleSource]:
        if not isinstance(source, FromCorrection):
            yield source
        elif not source.languages or any(is_same(language, own) for own in source.languages):
            yield replace(source, languages=())

    kept: dict[str, Source] = {}
    for role, source in inputs.items():
        if isinstance(source, FirstOf | AllOf):
            parts = tuple(part for single in source.sources for part in in_language(single))
            if parts or not source.sources:
                kept[role] = replace(source, sources=parts)
        else:
            kept.update((role, part) for part in in_language(source))
    return kept


def language_in(inputs: Mapping[str, str | list[str] | None]) -> str:
    """Return the language of the transcript among these files; empty if there is none, or if it cannot be read."""
    path = inputs.get(_TRANSCRIPT)
    try:
        return Transcript.read(Path(path)).language if isinstance(path, str) else ""
    except DocumentError:
        return ""


def with_model(step: Step, language: str, models: ModelCache, emit: Emit, item: str, *, offline: bool) -> Step:
    """Download the models for the language if they are missing, then return the step as `for_language` does.

    Raises `Missing` if the model for a pair of languages cannot be downloaded, because a translation needs it.
    """
    for needed in _translation_models(step, language).values():
        require([needed], models, emit, offline=offline)
    name = step.language_models.get(primary(language))
    if name and models.problem(name):
        try:
            require([name], models, emit, offline=offline)
        except Missing as error:
            hint = f"; {error.hint}" if error.hint else ""
            emit(events.Notice(item, step.id, f"{step.stage.name} runs without a model: {error.message}{hint}"))
    return for_language(step, language, lambda model: models.problem(model) is None)
