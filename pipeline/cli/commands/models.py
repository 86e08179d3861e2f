"""`reel models`: the one model cache."""

from __future__ import annotations

import argparse

from pydantic import JsonValue

from pipeline.app import App
from pipeline.base.project import CONFIG
from pipeline.cli.arguments import CommandResult, app_of, megabytes, table
from pipeline.cli.commands import model_fetch, models_archive, models_lock, models_upkeep
from pipeline.model_cache.manifest import stated_bytes
from pipeline.plan.profile import load_profiles


def execute(arguments: argparse.Namespace) -> CommandResult:
    """List, fetch or lock models; the other actions have modules of their own."""
    app = app_of(arguments)
    if arguments.action in {"verify", "prune", "adopt", "key"}:
        return models_upkeep.execute(arguments, app)
    if arguments.action in {"export", "import"}:
        return models_archive.execute(arguments, app)
    if arguments.action == "list":
        return _list(app)
    if arguments.action == "add":
        return model_fetch.add(arguments, app)
    if arguments.action == "lock":
        return models_lock.execute(arguments, app)
    return model_fetch.fetch(arguments, app)


def _list(app: App) -> CommandResult:
    profiles = load_profiles(CONFIG / "profiles")
    rows, data = [], []
    for name, model in app.models.models.items():
        locked, problem = app.models.locked[name], app.models.problem(name)
        needed_by = [profile for profile, entry in profiles.items() if name in (*entry.models, *entry.language_models)]
        licence = ", ".join(filter(None, [model.licence, model.restriction]))
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
