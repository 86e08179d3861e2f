"""`reel envs`: list, build, test and delete the environments that stages run in, and explain why they are apart."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import JsonValue

from pipeline.base.errors import EXIT_FAILED, EXIT_MISSING, EXIT_OK, UsageError
from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.cli.arguments import CommandResult, megabytes, project_of, table
from pipeline.cli.options.declare import Arguments
from pipeline.cli.options.models import CheckEnvironments, EnsureEnvironments, RemoveEnvironments, WhyEnvironments
from pipeline.cli.reporters import open_reporter
from pipeline.engine.project import Project
from pipeline.environments.conflicts import Resolution, Resolver, check_reasons
from pipeline.environments.environments import Environments, EnvironmentStatus
from pipeline.plan.registry import STAGES


def list_environments(arguments: Arguments) -> CommandResult:
    """List the environments."""
    return _list(project_of(arguments).installed.environments)


def ensure(arguments: EnsureEnvironments) -> CommandResult:
    """Build the named environments, or those of the profile, as far as they are missing or outdated."""
    project = project_of(arguments)
    return build(arguments.names or project.needed_environments(), project)


def build(names: Sequence[str], project: Project) -> CommandResult:
    """Build these environments as far as they are missing or outdated, and report the state of each."""
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


def why(arguments: WhyEnvironments) -> CommandResult:
    """Compare two environments, or test every declared reason; the exit code is 1 if a reason no longer holds."""
    project = project_of(arguments)
    names = arguments.names
    resolver = Resolver(CODE_ROOT / "pyproject.toml", CONFIG / "environments", project.folders.cache)
    reasons = [(name, project.installed.environments.family(name).reason) for name in names]
    if not names:
        return _every_reason(project.installed.environments, resolver)
    if len(names) != 2 or names[0] == names[1]:
        raise UsageError(
            "environment.pair",
            f"`reel envs why` takes two different environments or none, and got: {' '.join(names)}",
            hint="for instance `reel envs why speech transformers`",
        )
    first, second = names
    together = resolver.resolve_pair(first, second)
    text = f"{_comparison(first, second, together)}\n\nWhy they are apart:\n{table(reasons)}"
    return CommandResult(asdict(together), text)


def _list(environments: Environments) -> CommandResult:
    rows, data = [], []
    for name, family in environments.families.items():
        status = environments.status(name)
        size = _size(status.folder) if status.state != "missing" else 0
        used_by = sorted(
            {stage.name for stage in STAGES.values() for b in stage.backends.values() if name in b.environments}
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


def _every_reason(environments: Environments, resolver: Resolver) -> CommandResult:
    found = list(check_reasons(environments.families, resolver))
    rows = [(claim.family, claim.text, "holds" if claim.holds else "HAS GONE", claim.found) for claim in found]
    code = EXIT_OK if all(claim.holds for claim in found) else EXIT_FAILED
    return CommandResult(
        {"claims": [asdict(claim) for claim in found]}, table(rows, ("NAME", "REASON", "", "FOUND")), code
    )


def _comparison(first: str, second: str, together: Resolution) -> str:
    if together.conflict is not None:
        return f"{first} and {second} cannot share an environment. {together.conflict}"
    if not together.held_back:
        return f"{first} and {second} fit into one environment, and no package would get older."
    rows = [(each.family, each.package, each.alone, each.together) for each in together.held_back]
    shown = table(rows, ("NAME", "PACKAGE", "ALONE", "TOGETHER"))
    return f"{first} and {second} fit into one environment, but hold each other back:\n{shown}"
