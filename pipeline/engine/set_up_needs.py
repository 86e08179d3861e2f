"""Finds what a job would set up first, and what would keep it from beginning. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.base.errors import Missing, ReelError, UsageError
from pipeline.engine.model_needs import needed_models
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.fetch_many import obstacles
from pipeline.model_cache.manifest import stated_bytes
from pipeline.model_cache.selection import with_needs
from pipeline.plan.model import Step
from pipeline.plan.placement import fallback_notes, off_card_notes
from pipeline.workers.installation import Installation

_ANSWER_WITHIN_S = 5.0  # a preview does not wait long for a hub; what it did not hear, the run will


@dataclass(frozen=True)
class ModelNeed:
    """Model that is missing. `terms` is the page on which to accept its terms, empty where there are none to accept;
    without `locked`, its size is an estimate."""

    name: str
    bytes: int
    licence: str
    restriction: str
    terms: str
    locked: bool


@dataclass(frozen=True)
class Needs:
    """Needs of a job: `environments` and `models` are set up first, `notes` are worth knowing, `obstacles` would end it
    at once."""

    environments: tuple[str, ...]
    models: tuple[ModelNeed, ...]
    notes: tuple[str, ...]
    obstacles: tuple[ReelError, ...]


def needs_of(due: Sequence[Step], installed: Installation, fallbacks: Mapping[str, str]) -> Needs:
    """Return what a job with these steps needs and lacks. `fallbacks` are those that backends were seen to take."""
    notes = (*off_card_notes(due), *fallback_notes(due, fallbacks))
    models, found = tuple(_models(due, installed.models)), tuple(_obstacles(due, installed))
    return Needs(tuple(_environments(due, installed)), models, notes, found)


def _environments(due: Sequence[Step], installed: Installation) -> Iterator[str]:
    families = dict.fromkeys(family for step in due for family in step.environments)
    if installed.tool.family and any(step.backend.tools for step in due):
        families[installed.tool.family] = None
    for family in families:
        if installed.environments.status(family).state != "ready":
            yield family


def _models(due: Sequence[Step], cache: ModelCache) -> Iterator[ModelNeed]:
    names = with_needs({name for step in due for name in step.models.values()}, cache.models)
    for name in cache.incomplete(names):
        model, locked = cache.models[name], cache.locked[name]
        terms = f"{cache.hub}/{locked.repo}" if model.gated else ""
        yield ModelNeed(
            name, stated_bytes(model, locked), model.licence, model.restriction, terms, bool(locked.resolved)
        )


def _obstacles(due: Sequence[Step], installed: Installation) -> list[ReelError]:
    """Return the errors with which a run would end before it sets anything up: models that may not be locked, terms
    that are not accepted, a missing token, a full disk. Asks the hub for permission alone, and not for long."""
    offline = installed.settings.offline
    models = installed.models.with_locked({})
    models.policy = replace(models.policy, tries=1, timeout_s=_ANSWER_WITHIN_S)
    names = with_needs(needed_models(due, models, offline=offline), models.models)
    try:
        found: list[ReelError] = [*obstacles(names, models, lambda event: None, offline=offline).values()]
        models.check_space(names)
    except (Missing, UsageError) as error:  # no space, or a token that cannot be used
        return [*found, error] if isinstance(error, Missing) else [error]
    return found
