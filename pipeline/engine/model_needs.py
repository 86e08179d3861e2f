"""Finds the models that steps need, and locks them before a plan is used: the plan pins the code inside models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.base.errors import Missing
from pipeline.base.events import Emit
from pipeline.engine.planner import Planner
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.first_use import lock_first, unlocked
from pipeline.model_cache.selection import with_needs
from pipeline.plan.model import Plan, Step


def needed_models(due: Sequence[Step], models: ModelCache, *, offline: bool) -> set[str]:
    """Return the models that these steps cannot do without."""
    names = {name for step in due for name in step.models.values()}
    for step in due:  # one is enough, but which one is not known yet; without any of them the run cannot succeed
        incomplete = models.incomplete(step.direction_models.values())
        if offline and len(incomplete) == len(step.direction_models):
            names |= {*step.direction_models.values()}
    return names


def models_to_lock(steps: Iterable[Step], models: ModelCache) -> list[str]:
    """Return the models of these steps that have no lock entry. Models for a single language are locked once the
    spoken language is known."""
    names = {name for step in steps for name in (*step.models.values(), *step.direction_models.values())}
    return unlocked(with_needs(names, models.models), models)


def plan_with_locked_models(planner: Planner, emit: Emit | None, failed: dict[str, Missing]) -> Plan:
    """Return the plan, after locking its models if `emit` is given. Adds the models that could not be locked to
    `failed`, with the reason: it matters only if a step with such a model is due."""
    plan = planner.plan()
    new = models_to_lock(plan.steps, planner.models)
    if emit is None or not new:
        return plan
    left = [name for name in new if name not in failed]
    failed |= lock_first(left, planner.models, emit, offline=planner.settings.offline)
    return planner.plan()
