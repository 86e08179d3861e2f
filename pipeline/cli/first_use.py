"""Asks the user about Python code that models bring along, before this machine locks it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipeline.base.errors import Missing
from pipeline.cli.arguments import agreed, has_terminal
from pipeline.cli.reporters import open_reporter
from pipeline.engine.model_needs import models_to_lock
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.first_use import (
    LookupResult,
    code_to_accept,
    lock_found,
    look_up,
    may_bring_code,
    not_accepted,
    refusal_of,
    shown_code,
)
from pipeline.model_cache.manifest import LockedModel
from pipeline.plan.model import Step
from pipeline.workers.installation import Installation

_QUESTION = "lock this code, and run it when the model works?"


def with_accepted_code(looked_up: LookupResult, models: ModelCache) -> LookupResult:
    """Refuse the models whose code the user does not accept. Without a terminal, only the settings can accept code."""
    code = code_to_accept(looked_up.found, models)
    if not code or agreed(_QUESTION, shown_code(code, models), yes=False):
        return looked_up
    return _without_code(looked_up, code)


def _without_code(looked_up: LookupResult, code: Mapping[str, LockedModel]) -> LookupResult:
    """Move these models from those found to those refused."""
    return LookupResult(
        {name: model for name, model in looked_up.found.items() if name not in code},
        {**looked_up.failed, **{name: not_accepted(name, model) for name, model in code.items()}},
    )


def look_up_with_progress(names: Sequence[str], installed: Installation, revision: str | None = None) -> LookupResult:
    """Look these models up on the hub, and show the progress."""
    if not names:
        return LookupResult()
    with open_reporter(installed.settings.progress) as emit:
        return look_up(names, installed.models, emit, revision)


def lock_with_progress(found: Mapping[str, LockedModel], installed: Installation) -> None:
    """Lock these models, and show the progress."""
    with open_reporter(installed.settings.progress) as emit:
        lock_found(found, installed.models, emit)


def require_accepted(found: Mapping[str, LockedModel], installed: Installation) -> None:
    """Raise `Missing` unless models that another machine or tool has locked may be used here: the settings must permit
    locking at first use, and code of the models must be accepted by the settings or at the terminal."""
    models = installed.models
    if models.overlay.refused:
        raise Missing(
            "model.unresolved", f"only another place states the bytes of {', '.join(found)}; {models.overlay.refused}",
            hint="run the same command with `--no-locked`",
        )  # fmt: skip
    code = code_to_accept(found, models)
    if code and not agreed(_QUESTION, shown_code(code, models), yes=False):
        raise Missing(
            "model.code-unaccepted", f"{', '.join(code)} brings Python code of its own, which is not accepted here",
            hint=f"run the same command with `--accept-code {','.join(code)}`",
        )  # fmt: skip


def ask_about_code(steps: Iterable[Step], installed: Installation) -> None:
    """Ask the user about the code of the models that these steps need, before a job begins. Without a terminal nothing
    is asked, and the job refuses such a model."""
    if not has_terminal():
        return
    models, offline = installed.models, installed.settings.offline
    new = models_to_lock(steps, models)
    names = [name for name in new if may_bring_code(name, models) and not refusal_of(name, models, offline=offline)]
    lock_with_progress(with_accepted_code(look_up_with_progress(names, installed), models).found, installed)
