"""`reel envs why`: ask the resolver why environments cannot be one."""

from __future__ import annotations

from dataclasses import asdict

from pipeline.base.errors import EXIT_FAILED, EXIT_OK, UsageError
from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.cli.arguments import CommandResult, project_of, table
from pipeline.cli.options.models import WhyEnvironments
from pipeline.environments.conflicts import Resolver, Together, claims
from pipeline.environments.environments import Environments


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
    together = resolver.together(first, second)
    text = f"{_told(first, second, together)}\n\nWhy they are apart:\n{table(reasons)}"
    return CommandResult(asdict(together), text)


def _every_reason(environments: Environments, resolver: Resolver) -> CommandResult:
    found = list(claims(environments.families, resolver))
    rows = [(claim.family, claim.text, "holds" if claim.holds else "HAS GONE", claim.found) for claim in found]
    code = EXIT_OK if all(claim.holds for claim in found) else EXIT_FAILED
    return CommandResult(
        {"claims": [asdict(claim) for claim in found]}, table(rows, ("NAME", "REASON", "", "FOUND")), code
    )


def _told(first: str, second: str, together: Together) -> str:
    if together.conflict is not None:
        return f"{first} and {second} cannot share an environment. {together.conflict}"
    if not together.held_back:
        return f"{first} and {second} fit into one environment, and no package would get older."
    rows = [(each.family, each.package, each.alone, each.together) for each in together.held_back]
    shown = table(rows, ("NAME", "PACKAGE", "ALONE", "TOGETHER"))
    return f"{first} and {second} fit into one environment, but hold each other back:\n{shown}"
