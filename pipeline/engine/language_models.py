"""Models that depend on the language spoken: which of them a step gets is known once there is a transcript.

They are no condition of a run. One that is not there is fetched when its step's turn comes, if that is allowed; where
it cannot be had, the step works without it and says so. A translation cannot: without the model of its direction it
fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.base import events
from pipeline.base.errors import Missing
from pipeline.model_cache.cache import ModelCache
from pipeline.plan.model import AllOf, FirstOf, FromFile, FromStep, Leaf, Source, Step
from pipeline.plan.registry import directions_for
from pipeline.store.results import StoredResult
from shared.documents.base import DocumentError
from shared.documents.transcript import Transcript
from shared.text.language import is_same, primary

_TRANSCRIPT = "transcript"  # the input of a step that says which language is spoken

Emit = Callable[[events.Event], None]


def for_language(step: Step, language: str, at_hand: Callable[[str], bool]) -> Step:
    """The step with the model for this language, where there is one at hand, its role the language; and with that of
    the direction into which it translates from there."""
    if not step.waits_for_language:
        return step
    name = step.language_models.get(primary(language))
    found = {primary(language): name} if name and at_hand(name) else {}
    models = {**step.models, **found, **_of_direction(step, language)}
    return replace(step, models=models, language_models={}, direction_models={})


def _of_direction(step: Step, language: str) -> Mapping[str, str]:
    """The model that a pair needs; none where the texts are copied, or the stage will refuse the pair. All of them
    where nobody knows what is spoken."""
    if not (language and step.direction_models):
        return step.direction_models
    target = str(step.params.model_dump()["target"])
    roles = directions_for(step.backend_name, language, target)
    return {role: name for role, name in step.direction_models.items() if role in roles}


def language_heard(inputs: Mapping[str, Source], results: Mapping[str, StoredResult]) -> str:
    """The language of the transcript that a step is to work on; empty where it takes none."""
    source = inputs.get(_TRANSCRIPT)
    if isinstance(source, FirstOf) and source.sources:
        source = source.sources[-1]  # a shortened transcript stands before the whole one, and may not be made
    return str(results[source.step].facts.get("language", "")) if isinstance(source, FromStep) else ""


def for_inputs(inputs: Mapping[str, Source], language: str) -> Mapping[str, Source]:
    """The inputs with the corrections that belong to this language, and without those that belong to another."""

    def decided(leaf: Leaf) -> Iterator[Leaf]:
        if not isinstance(leaf, FromFile):
            yield leaf
        elif not leaf.languages or any(is_same(language, own) for own in leaf.languages):
            yield replace(leaf, languages=())

    kept: dict[str, Source] = {}
    for role, source in inputs.items():
        if isinstance(source, FirstOf | AllOf):
            left = tuple(one for leaf in source.sources for one in decided(leaf))
            if left or not source.sources:
                kept[role] = replace(source, sources=left)
        else:
            for one in decided(source):
                kept[role] = one
    return kept


def language_in(inputs: Mapping[str, str | list[str] | None]) -> str:
    """The language of the transcript among these files; empty without one that can be read."""
    path = inputs.get(_TRANSCRIPT)
    try:
        return Transcript.read(Path(path)).language if isinstance(path, str) else ""
    except DocumentError:
        return ""


def with_model(step: Step, language: str, models: ModelCache, emit: Emit, item: str, *, offline: bool) -> Step:
    """As `for_language`, with a try to have the model first. Raises `Missing` where that of a direction cannot be had:
    there is no translation without."""
    for needed in _of_direction(step, language).values():
        models.fetch(needed, emit, offline=offline)
    name = step.language_models.get(primary(language))
    if name and models.problem(name):
        try:
            models.fetch(name, emit, offline=offline)
        except Missing as error:
            hint = f"; {error.hint}" if error.hint else ""
            emit(events.Notice(item, step.id, f"{step.stage.name} does without a model: {error.message}{hint}"))
    return for_language(step, language, lambda model: models.problem(model) is None)
