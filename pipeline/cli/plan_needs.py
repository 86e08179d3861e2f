"""Says what a job would set up first, and what would keep it from beginning. For `reel plan`; nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from pipeline.base.errors import Missing, ReelError, UsageError
from pipeline.cli.arguments import megabytes
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
class Needs:
    """Needs of a job: `first` is set up first, `notes` are worth knowing, `obstacles` would end it at once."""

    first: tuple[str, ...]
    notes: tuple[str, ...]
    obstacles: tuple[ReelError, ...]

    @property
    def texts(self) -> list[str]:
        """Return all of it as paragraphs."""
        texts = [*self.notes, *([f"to set up first: {', '.join(self.first)}"] if self.first else [])]
        if self.obstacles:
            texts.append("\n".join(["a run would end before its first step:", *map(_with_hint, self.obstacles)]))
        return texts

    @property
    def data(self) -> dict[str, JsonValue]:
        """Return all of it for `--json`."""
        obstacles: list[JsonValue] = [
            {"code": error.code, "message": error.message, "hint": error.hint} for error in self.obstacles
        ]
        return {"needs": [*self.first], "obstacles": obstacles, "notes": [*self.notes]}


def needs_of(due: Sequence[Step], installed: Installation, fallbacks: Mapping[str, str]) -> Needs:
    """Return what a job with these steps needs and lacks. `fallbacks` are those that backends were seen to take."""
    notes = (*off_card_notes(due), *fallback_notes(due, fallbacks))
    return Needs(tuple(_first(due, installed)), notes, tuple(_obstacles(due, installed)))


def _with_hint(error: ReelError) -> str:
    return f"  {error.message} [{error.code}]" + (f"\n    hint: {error.hint}" if error.hint else "")


def _first(due: Sequence[Step], installed: Installation) -> list[str]:
    """Return what is missing for these steps, in words."""
    families = dict.fromkeys(family for step in due for family in step.environments)
    if installed.tool.family and any(step.backend.tools for step in due):
        families[installed.tool.family] = None
    needs = [f"environment {family}" for family in families if installed.environments.status(family).state != "ready"]
    models = installed.models
    names = with_needs({name for step in due for name in step.models.values()}, models.models)
    return needs + [_told(name, models) for name in models.incomplete(names)]


def _told(name: str, models: ModelCache) -> str:
    model, locked = models.models[name], models.locked[name]
    parts = [megabytes(stated_bytes(model, locked)), model.licence]
    parts += ["terms to accept"] if model.gated else []
    parts += ["locked at first use"] if not locked.resolved else []
    return f"model {name} ({', '.join(parts)})"


def _obstacles(due: Sequence[Step], installed: Installation) -> list[ReelError]:
    """Return the errors with which a run would end before it sets anything up: models that may not be locked, terms
    that are not accepted, a missing token, a full disk. Asks the hub for permission alone, and not for long."""
    offline = installed.settings.offline
    models = installed.models.knowing({})
    models.patience = replace(models.patience, tries=1, timeout_s=_ANSWER_WITHIN_S)
    names = with_needs(needed_models(due, models, offline=offline), models.models)
    try:
        found: list[ReelError] = [*obstacles(names, models, lambda event: None, offline=offline).values()]
        models.check_space(names)
    except (Missing, UsageError) as error:  # no space, or a token that cannot be used
        return [*found, error] if isinstance(error, Missing) else [error]
    return found
