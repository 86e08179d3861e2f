"""Chooses the translation backend by the pair of languages and the models that are complete. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pipeline.plan.registry import TRANSLATE, roles_for, stage_named, translators_for
from shared.text.language import english_name, primary
from shared.text.language_names import known_language


@dataclass(frozen=True)
class Translator:
    """Chosen translation backend. `reason` is a part of a sentence."""

    backend: str
    reason: str


def choose_translator(
    source: str | None,
    target: str,
    filled: Mapping[str, str],
    incomplete: Collection[str],
    spare: Collection[str] = (),
    *,
    sound: bool = True,
) -> Translator | None:
    """Return the best backend whose models for the pair are complete; if there is none, the best whose models a run
    may fetch; None if there is none either.

    `source` is None while the spoken language is not known; `filled` maps the roles of models to their names,
    `incomplete` are the models that are not complete, and `spare` the roles whose models are fetched only on request.
    Without `sound`, no backend is chosen that listens.
    """
    missing = missing_models(source, target, filled, incomplete, sound=sound)
    ready = [backend for backend, models in missing.items() if not models]
    fetchable = [backend for backend in missing if not set(roles_for(backend, source, target)) & set(spare)]
    if not (ready or fetchable):
        return None
    chosen = (ready or fetchable)[0]
    ranked = list(missing)
    better = ranked[: ranked.index(chosen)]
    notes = [f"{backend} would be better and lacks {' and '.join(missing[backend])}" for backend in better]
    return Translator(chosen, "; ".join([_pair(source, target), *notes]))


def missing_models(
    source: str | None, target: str, filled: Mapping[str, str], incomplete: Collection[str], *, sound: bool = True
) -> dict[str, list[str]]:
    """Return the backends that translate a pair, the best first, each with its models that are not complete."""
    missing: dict[str, list[str]] = {}
    for backend in translators_for(source, target, sound=sound):
        roles = roles_for(backend, source, target)
        if all(role in filled for role in roles):
            missing[backend] = [filled[role] for role in roles if filled[role] in incomplete]
    return missing


def stated_language(settings: Mapping[str, object]) -> str | None:
    """Return the spoken language that the user states in the settings of stage `asr`; None if it is to be
    identified."""
    language = settings.get("language")
    try:
        return known_language(str(language)) if language else None
    except ValueError:
        return None  # the stage reports the unknown name


def needed_roles(stage: str, backend: str, source: str | None, target: str) -> tuple[str, ...]:
    """Return the roles of models that a step needs: for a translation those of the pair, else all of the backend."""
    if stage == TRANSLATE:
        return roles_for(backend, source, target)
    return stage_named(stage).backends[backend].models


def _pair(source: str | None, target: str) -> str:
    if source is None:
        return f"chosen to translate into {english_name(target)} from a language that is not known yet"
    if primary(source) == primary(target):
        return f"all speech is {english_name(source)} already"
    return f"chosen to translate from {english_name(source)} into {english_name(target)}"
