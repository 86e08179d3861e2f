"""`reel models`: the one model cache."""

from __future__ import annotations

import argparse

from pydantic import JsonValue

from pipeline.app import App
from pipeline.commands import model_fetch
from pipeline.commands.common import CommandResult, app_of, megabytes, table
from pipeline.errors import EXIT_MISSING, EXIT_OK
from pipeline.model_cache.manifest import stated_bytes
from pipeline.profile import load_profiles
from pipeline.project import CONFIG
from pipeline.reporters import open_reporter


def execute(arguments: argparse.Namespace) -> CommandResult:
    """List, fetch, lock or verify models."""
    app = app_of(arguments)
    if arguments.action == "list":
        return _list(app)
    if arguments.action == "fetch":
        return model_fetch.fetch(arguments, app)
    if arguments.action == "lock":
        return model_fetch.lock(arguments, app)
    return _verify(model_fetch.names_of(arguments, app), app, arguments.repair)


def _list(app: App) -> CommandResult:
    profiles = load_profiles(CONFIG / "profiles")
    rows, data = [], []
    for name, model in app.models.models.items():
        locked, problem = app.models.locked[name], app.models.problem(name)
        needed_by = [profile for profile, entry in profiles.items() if name in entry.models]
        licence = model.licence if model.commercial_use else f"{model.licence}, no commercial use"
        revision = locked.revision[:12] if locked.repo else "-"
        state = "unresolved" if not locked.resolved else "missing" if problem else "complete"
        size = megabytes(stated_bytes(model, locked))
        rows.append((name, ", ".join(model.stages), size, revision, licence, state, ", ".join(needed_by)))
        item: JsonValue = {
            "name": name,
            "bytes": locked.size,
            "repo": locked.repo,
            "revision": locked.revision,
            "licence": model.licence,
            "commercial_use": model.commercial_use,
            "stages": list(model.stages),
            "gated": model.gated,
            "resolved": locked.resolved,
            "complete": problem is None,
            "problem": problem,
            "profiles": list(needed_by),
        }
        data.append(item)
    head = ("NAME", "STAGES", "SIZE", "REVISION", "LICENCE", "STATE", "PROFILES")
    return CommandResult({"models": data}, table(rows, head))


def _verdict(problems: list[str], there: bool) -> str:
    if not problems:
        return "verified"
    return "; ".join(problems) if there else "not fetched yet"


def _verify(names: list[str], app: App, repair: bool) -> CommandResult:
    problems = {name: app.models.verify(name) for name in names}
    if repair:
        with open_reporter(app.settings.progress) as emit:
            for name in [name for name, found in problems.items() if found]:
                app.models.discard(name)
                app.models.fetch(name, emit, offline=app.settings.offline)
        problems = {name: app.models.verify(name) for name in names}
    rows = [(name, _verdict(found, app.models.snapshot(name).exists())) for name, found in problems.items()]
    data: JsonValue = {"models": [{"name": name, "problems": list(found)} for name, found in problems.items()]}
    return CommandResult(data, table(rows), EXIT_MISSING if any(problems.values()) else EXIT_OK)
