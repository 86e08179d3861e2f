"""Chooses models that depend on the spoken language, which is known once there is a transcript.

A run does not require them. A missing one is downloaded when its step's turn comes, if that is allowed; if it cannot be
downloaded, the step works without it and says so. A translation cannot: without the model for its pair of languages it
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
from pipeline.plan.model import AllOf, FirstOf, FromFile, FromStep, Leaf, Source, Step
from pipeline.plan.registry import directions_for
from pipeline.store.results import StoredResult
from shared.documents.base import DocumentError
from shared.documents.transcript import Transcript
from shared.text.language import is_same, primary

_TRANSCRIPT = "transcript"  # the input of a step that says which language is spoken

Emit = Callable[[events.Event], None]


def for_language(step: Step, language: str, at_hand: Callable[[str], bool]) -> Step:
    """Return the step with the models for this language: the one of the language itself, if it is available, with the
    language as its role, and the one for translating from it."""
    if not step.waits_for_language:
        return step
    name = step.language_models.get(primary(language))
    found = {primary(language): name} if name and at_hand(name) else {}
    models = {**step.models, **found, **_of_direction(step, language)}
    return replace(step, models=models, language_models={}, direction_models={})


def _of_direction(step: Step, language: str) -> Mapping[str, str]:
    """Return the models for translating from `language`.

    The result is empty if texts are only copied, or if the stage will refuse the pair; it holds all models if the
    language is not known.
    """
    if not (language and step.direction_models):
        return step.direction_models
    target = str(step.params.model_dump()["target"])
    roles = directions_for(step.backend_name, language, target)
    return {role: name for role, name in step.direction_models.items() if role in roles}


def transcript_language(inputs: Mapping[str, Source], results: Mapping[str, StoredResult]) -> str:
    """Return the language of the transcript that a step works on; empty if it takes none."""
    source = inputs.get(_TRANSCRIPT)
    if isinstance(source, FirstOf) and source.sources:
        source = source.sources[-1]  # a shortened transcript comes before the complete one, and may be missing
    return str(results[source.step].facts.get("language", "")) if isinstance(source, FromStep) else ""


def for_inputs(inputs: Mapping[str, Source], language: str) -> Mapping[str, Source]:
    """Return the inputs with the corrections in this language, and without those in other languages."""

    def decided(leaf: Leaf) -> Iterator[Leaf]:
        if not isinstance(leaf, FromFile):
            yield leaf
        elif not leaf.languages or any(is_same(language, own) for own in leaf.languages):
            yield replace(leaf, languages=())

    kept: dict[str, Source] = {}
    for role, source in inputs.items():
        if isinstance(source, FirstOf | AllOf):
            left = tuple(decided_source for leaf in source.sources for decided_source in decided(leaf))
            if left or not source.sources:
                kept[role] = replace(source, sources=left)
        else:
            for decided_source in decided(source):
                kept[role] = decided_source
    return kept


def language_in(inputs: Mapping[str, str | list[str] | None]) -> str:
    """Return the language of the transcript among these files; empty if there is none or it cannot be read."""
    path = inputs.get(_TRANSCRIPT)
    try:
        return Transcript.read(Path(path)).language if isinstance(path, str) else ""
    except DocumentError:
        return ""


def with_model(step: Step, language: str, models: ModelCache, emit: Emit, item: str, *, offline: bool) -> Step:
    """Download the models for the language if need be, then return the step as `for_language` does.

    Raises `Missing` if the model for a pair of languages cannot be downloaded: the translation needs it.
    """
    for needed in _of_direction(step, language).values():
        require([needed], models, emit, offline=offline)
    name = step.language_models.get(primary(language))
    if name and models.problem(name):
        try:
            require([name], models, emit, offline=offline)
        except Missing as error:
            hint = f"; {error.hint}" if error.hint else ""
            emit(events.Notice(item, step.id, f"{step.stage.name} runs without a model: {error.message}{hint}"))
    return for_language(step, language, lambda model: models.problem(model) is None)
