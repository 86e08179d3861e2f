"""`reel models`: the one model cache."""

from __future__ import annotations

import argparse

from pydantic import JsonValue

from pipeline.app import App
from pipeline.commands import models_archive, models_upkeep
from pipeline.commands.common import CommandResult, app_of, megabytes, table
from pipeline.errors import EXIT_MISSING, EXIT_OK, Missing
from pipeline.profile import load_profiles
from pipeline.project import CONFIG
from pipeline.reporters import open_reporter


def execute(arguments: argparse.Namespace) -> CommandResult:
    """List or fetch models; what else there is to do has modules of its own."""
    app = app_of(arguments)
    if arguments.action in {"verify", "prune", "adopt", "key"}:
        return models_upkeep.execute(arguments, app)
    if arguments.action in {"export", "import"}:
        return models_archive.execute(arguments, app)
    if arguments.action == "list":
        return _list(app)
    return _fetch(list(arguments.names) or list(app.profile.profile.models), app)


def _list(app: App) -> CommandResult:
    profiles = load_profiles(CONFIG / "profiles")
    rows, data = [], []
    for name, model in app.models.models.items():
        locked, problem = app.models.locked[name], app.models.problem(name)
        needed_by = [profile for profile, entry in profiles.items() if name in entry.models]
        licence = model.licence if model.commercial_use else f"{model.licence} (non-commercial)"
        revision = locked.revision[:12] if locked.repo else "-"
        rows.append(
            (
                name,
                megabytes(locked.size),
                revision,
                licence,
                "missing" if problem else "complete",
                ", ".join(needed_by),
            )
        )
        item: JsonValue = {
            "name": name,
            "bytes": locked.size,
            "repo": locked.repo,
            "revision": locked.revision,
            "licence": model.licence,
            "commercial_use": model.commercial_use,
            "complete": problem is None,
            "problem": problem,
            "profiles": list(needed_by),
        }
        data.append(item)
    head = ("NAME", "SIZE", "REVISION", "LICENCE", "STATE", "PROFILES")
    return CommandResult({"models": data}, table(rows, head))


def _fetch(names: list[str], app: App) -> CommandResult:
    """Every model on its own: one that fails does not keep the others away."""
    errors: list[Missing] = []
    with open_reporter(app.settings.progress) as emit:
        for name in names:
            try:
                app.models.fetch(name, emit, offline=app.settings.offline)
            except Missing as error:
                errors.append(error)
    failed = app.models.incomplete(names)
    rows = [(name, "missing" if name in failed else "complete") for name in names]
    text = "\n".join([table(rows), *(f"error: {error.message} [{error.code}]" for error in errors)])
    data: JsonValue = {"models": [{"name": name, "complete": name not in failed} for name in names]}
    return CommandResult(data, text, EXIT_MISSING if failed else EXIT_OK, tuple(errors))
