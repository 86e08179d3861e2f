"""Finds the models that a profile uses for given spoken languages. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence

from pipeline.plan.profile import AUTO, Profile, ProfileStage
from pipeline.plan.registry import TRANSLATE, roles_for
from pipeline.plan.translation_backends import choose_translator, missing_models
from shared.text.language import english_name, primary


def models_for_languages(
    profile: Profile, languages: Sequence[str], targets: Sequence[str], models: Collection[str]
) -> tuple[str, ...]:
    """Return the names of the models that jobs in these languages use, without those that every job needs.

    They are the aligner of each language, and the models that translate it into each of `targets`. `models` are the
    names of all models. The result does not depend on the cache, so that it is the same on each machine.
    """
    found: set[str] = set()
    for language in languages:
        for stage in profile.stages.values():
            found |= {model for tag, model in stage.languages.items() if tag == primary(language)}
    if (filled := profile.stages.get(TRANSLATE)) is not None:
        others = set(models) - set(profile.models)
        for source, target in itertools.product(languages, targets):
            if primary(source) != primary(target):
                found |= set(_translating(filled, source, target, others))
    return tuple(sorted(found - set(profile.models)))


def languages_without(profile: Profile, languages: Sequence[str]) -> list[str]:
    """Return a sentence for each stage that has models by language but none for one of these languages."""
    return [
        f"the stage {name} has no model for {english_name(language)} and does without one"
        for name, stage in profile.stages.items()
        for language in languages
        if stage.languages and primary(language) not in stage.languages
    ]


def stage_languages(profile: Profile) -> Mapping[str, str]:
    """Return the English name of the language of each model that the profile uses for a single language."""
    return {model: english_name(tag) for stage in profile.stages.values() for tag, model in stage.languages.items()}


def _translating(filled: ProfileStage, source: str, target: str, others: Collection[str]) -> Iterator[str]:
    """Yield the models of the backend that translates a pair: one that needs none of `others`, else the best."""
    backend = filled.backend
    if backend == AUTO:
        chosen = choose_translator(source, target, filled.models, others, filled.spare)
        able = missing_models(source, target, filled.models, ())
        backend = chosen.backend if chosen else next(iter(able), "")
    for role in roles_for(backend, source, target) if backend else ():
        if role in filled.models:
            yield filled.models[role]
