"""Finds the models that steps need, and locks them before a plan is used, because the plan pins the code inside
models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.base.errors import Missing, UsageError
from pipeline.base.events import Emit
from pipeline.engine.planner import Planner
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.first_use import lock_first, unlocked
from pipeline.model_cache.selection import with_needs
from pipeline.plan.model import Plan, Step

GUIDE = "docs/how-to/serve-local-models.md"


@dataclass(frozen=True)
class ModelState:
    """State of the models that the jobs of a server need.

    With `complete`, nothing is fetched. With `fetched when needed`, the next job fetches the `missing` models to
    `folder`; `missing_bytes` is their size as far as it is known. With `missing`, it fails, because the settings forbid
    to fetch them.
    """

    state: Literal["complete", "fetched when needed", "missing"]
    folder: Path
    missing: tuple[str, ...]
    missing_bytes: int
    local: bool  # never fetched, whatever is missing

    def __str__(self) -> str:
        """Return the sentence for the log."""
        if self.state == "complete":
            return f"models: complete in {self.folder}; nothing is fetched"
        names = ", ".join(self.missing)
        if self.state == "missing":
            return f"models: not in {self.folder}, and not to be fetched: {names}"
        size = f" ({self.missing_bytes / 1e6:.0f} MB)" if self.missing_bytes else ""
        return (
            f"models: not in the cache, to be fetched to {self.folder} by the first job that needs them: {names}{size}"
        )


def model_state(planner: Planner) -> ModelState:
    """Return the state of the models that jobs under these settings cannot do without."""
    settings, models = planner.settings, planner.models
    needed = needed_models(planner.plan().steps, models, offline=True)
    names = models_of_jobs(planner) if settings.local_models else with_needs(needed, models.models)
    missing = () if settings.stub else tuple(name for name in names if models.problem(name) is not None)
    state: Literal["fetched when needed", "missing"] = "missing" if settings.fetches_nothing else "fetched when needed"
    return ModelState(
        state if missing else "complete", models.folder, missing, models.missing_bytes(missing), settings.local_models
    )  # fmt: skip


def needed_models(due: Sequence[Step], models: ModelCache, *, offline: bool) -> set[str]:
    """Return the models that these steps cannot do without."""
    names = {name for step in due for name in step.models.values()}
    for step in due:  # a translation needs one of its models, not known yet; offline without any of them it will fail
        incomplete = models.incomplete(step.direction_models.values())
        if offline and len(incomplete) == len(step.direction_models):
            names |= {*step.direction_models.values()}
    return names


def models_to_lock(steps: Iterable[Step], models: ModelCache) -> list[str]:
    """Return the models of these steps that have no lock entry. Models for a single language are locked once the
    spoken language is known."""
    names = {name for step in steps for name in (*step.models.values(), *step.direction_models.values())}
    return unlocked(with_needs(names, models.models), models)


def models_of_jobs(planner: Planner) -> list[str]:
    """Return the models that jobs under these settings may need: those of the profile, and those that the settings
    name."""
    try:
        steps = planner.plan().steps
    except UsageError:  # a request has to say more, a target language for example
        steps = ()
    names = {*planner.profile.profile.models, *(name for step in steps for name in step.models.values())}
    return with_needs(names, planner.models.models)


def require_on_disk(names: Iterable[str], models: ModelCache) -> None:
    """Raise `Missing` with the path of every missing file, for models that must not be fetched."""
    missing = {name: list(models.problems(name)) for name in names if models.problem(name)}
    if not missing:
        return
    listed = "".join(f"\n  {name}: {problem}" for name, problems in missing.items() for problem in problems)
    how_many = "a model is" if len(missing) == 1 else f"{len(missing)} models are"
    raise Missing(
        "model.not-local",
        f"{how_many} not complete, and models are loaded from local files alone:{listed}",
        hint=f"run `./reel models fetch {' '.join(missing)}` once, where there is a network; {GUIDE} has the steps",
    )


def plan_with_locked_models(planner: Planner, emit: Emit | None, failed: dict[str, Missing]) -> Plan:
    """Return the plan, after locking its models if `emit` is given. Models that cannot be locked are added to `failed`,
    with the reason, which matters only if a step needs the model."""
    plan = planner.plan()
    new = models_to_lock(plan.steps, planner.models)
    if emit is None or not new:
        return plan
    left = [name for name in new if name not in failed]
    failed |= lock_first(left, planner.models, emit, offline=planner.settings.fetches_nothing)
    return planner.plan()
