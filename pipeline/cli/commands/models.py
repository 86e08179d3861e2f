"""`reel models list`: the models, and which of them the cache holds."""

from __future__ import annotations

from pydantic import JsonValue

from pipeline.base.project import CONFIG
from pipeline.cli.arguments import CommandResult, app_of, megabytes, table
from pipeline.cli.options.declare import Arguments
from pipeline.model_cache.manifest import stated_bytes
from pipeline.plan.profile import load_profiles


def list_models(arguments: Arguments) -> CommandResult:
    """List every model with its state in the cache."""
    app = app_of(arguments)
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
