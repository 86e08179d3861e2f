"""Sets up what steps need before the first one runs; or, for a preview, tells what is missing and what would prevent
the job."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.base.errors import Missing, ReelError, UsageError
from pipeline.base.events import Emit
from pipeline.base.project import own_config
from pipeline.engine.model_needs import needed_models, require_on_disk
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.fetch_many import obstacles, raise_together, require
from pipeline.model_cache.manifest import stated_bytes
from pipeline.model_cache.selection import with_needs
from pipeline.plan.llm_services import check_service
from pipeline.plan.model import Step
from pipeline.plan.placement import fallback_notes, off_card_notes
from pipeline.workers.installation import Installation

_PREVIEW_TIMEOUT_S = 5.0  # for an answer of the hub: a preview does without one, and the run asks again
_NONE: Mapping[str, Missing] = {}


def set_up(steps: Sequence[Step], installed: Installation, emit: Emit, unlocked: Mapping[str, Missing] = _NONE) -> None:
    """Set up the tools, environments and models that these steps need. Raises `Missing`.

    All of it happens before the first step, so that a run does not fail half-way for a reason that was known at its
    start. Problems with models that need no download to find are raised before an environment is built. `unlocked`
    holds the models that could not be locked, with the reason.
    """
    offline = installed.settings.offline
    for step in steps:
        check_service(step, os.environ, own_config(), offline=offline)
    models = installed.models
    names = with_needs(needed_models(steps, models, offline=installed.settings.fetches_nothing), models.models)
    if installed.settings.local_models:
        require_on_disk(names, models)
    raise_together({name: unlocked[name] for name in names if name in unlocked})
    raise_together(obstacles(names, models, emit, offline=offline))
    models.check_space(names)
    if any(step.backend.tools for step in steps):
        installed.tools.ensure(installed.tool, emit, offline=offline)
    for family in dict.fromkeys(family for step in steps for family in step.environments):
        installed.environments.ensure(family, emit, offline=offline)
    require(names, models, emit, offline=offline)


@dataclass(frozen=True)
class ModelNeed:
    """Missing model. `terms` is the page on which to accept its terms, empty if there are none; without `locked`, its
    size is an estimate."""

    name: str
    bytes: int
    licence: str
    restriction: str
    terms: str
    locked: bool


@dataclass(frozen=True)
class Needs:
    """Needs of a job: `environments` and `models` to set up first, `notes` for the user, and `obstacles`, the errors
    with which a run would end at once."""

    environments: tuple[str, ...]
    models: tuple[ModelNeed, ...]
    notes: tuple[str, ...]
    obstacles: tuple[ReelError, ...]


def needs_of(due: Sequence[Step], installed: Installation, fallbacks: Mapping[str, str]) -> Needs:
    """Return what a job with these steps needs and lacks, without changing anything. `fallbacks` are those recorded for
    backends that ran out of memory."""
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
    that are not accepted, a missing token, a full disk. Asks the hub only for permission, with a short time limit."""
    offline = installed.settings.offline
    models = installed.models.with_locked({})
    models.policy = replace(models.policy, tries=1, timeout_s=_PREVIEW_TIMEOUT_S)
    names = with_needs(needed_models(due, models, offline=offline), models.models)
    found: list[ReelError] = []
    try:
        found += obstacles(names, models, lambda event: None, offline=offline).values()
        models.check_space(names)
    except (Missing, UsageError) as error:  # no space, or a token that cannot be used
        found.append(error)
    return found
