"""`reel envs`: the environments that stages run in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue

from pipeline.base.errors import EXIT_MISSING, EXIT_OK
from pipeline.cli.arguments import CommandResult, megabytes, project_of, table
from pipeline.cli.options.declare import Arguments
from pipeline.cli.options.models import CheckEnvironments, EnsureEnvironments, RemoveEnvironments
from pipeline.cli.reporters import open_reporter
from pipeline.engine.project import Project
from pipeline.environments.environments import Environments, EnvironmentStatus
from pipeline.plan.registry import STAGES


def list_environments(arguments: Arguments) -> CommandResult:
    """List the environments."""
    return _list(project_of(arguments).installed.environments)


def ensure(arguments: EnsureEnvironments) -> CommandResult:
    """Build what is missing or outdated: the named environments, or those of the profile."""
    project = project_of(arguments)
    return build(arguments.names or project.needed_environments(), project)


def build(names: Sequence[str], project: Project) -> CommandResult:
    """Build those of the environments that are missing or outdated, and report all of them."""
    with open_reporter(project.settings.progress) as emit:
        for name in names:
            project.installed.environments.ensure(name, emit, offline=project.settings.offline)
    return _report([project.installed.environments.status(name) for name in names])


def check(arguments: CheckEnvironments) -> CommandResult:
    """Import the packages of the named environments, or of all that are built."""
    environments = project_of(arguments).installed.environments
    built = [name for name in environments.families if environments.status(name).state != "missing"]
    return _report([environments.check(name) for name in arguments.names or built])


def remove(arguments: RemoveEnvironments) -> CommandResult:
    """Delete the named environments."""
    environments = project_of(arguments).installed.environments
    removed = [name for name in arguments.names if environments.remove(name)]
    return CommandResult({"removed": list(removed)}, f"removed: {', '.join(removed) or 'nothing was there'}")


def _list(environments: Environments) -> CommandResult:
    rows, data = [], []
    for name, family in environments.families.items():
        status = environments.status(name)
        size = _size(status.folder) if status.state != "missing" else 0
        used_by = sorted(
            {stage.name for stage in STAGES.values() for b in stage.backends.values() if b.environment == name}
        )
        used_by += sorted({stage.name for stage in STAGES.values() for b in stage.backends.values() if name in b.tools})
        rows.append((name, status.state, megabytes(size) if size else "-", ", ".join(used_by), family.reason))
        item: JsonValue = {
            "name": name, "state": status.state, "bytes": size, "stages": list(used_by), "reason": family.reason
        }  # fmt: skip
        data.append(item)
    return CommandResult({"environments": data}, table(rows, ("NAME", "STATE", "SIZE", "STAGES", "WHY APART")))


def _report(statuses: Sequence[EnvironmentStatus]) -> CommandResult:
    rows = [(status.family, status.state, status.detail) for status in statuses]
    data: list[JsonValue] = [{"name": s.family, "state": s.state, "detail": s.detail} for s in statuses]
    good = all(status.state == "ready" for status in statuses)
    return CommandResult({"environments": data}, table(rows), EXIT_OK if good else EXIT_MISSING)


def _size(folder: Path) -> int:
    """Return the bytes below a folder. Linked files count, although another environment may share them."""
    total = 0
    for root, _, files in os.walk(folder):
        total += sum(os.lstat(os.path.join(root, file)).st_size for file in files)
    return total
