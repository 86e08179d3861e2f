"""Find why two families of environments cannot be one, by asking the resolver for an environment of both."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from pipeline.base.errors import Missing
from pipeline.environments.families import Family
from pipeline.environments.package_index import index_environment, uv_command

_PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)==(\S+)", re.MULTILINE)
_NO_SOLUTION = "No solution found"
_NOT_FOUND = "was not found in"  # a package that no index has: without an index, that proves nothing


@dataclass(frozen=True)
class Downgrade:
    """A package that `family` would get in an older version if it shared an environment."""

    family: str
    package: str
    alone: str
    together: str


@dataclass(frozen=True)
class Resolution:
    """The result of resolving two families as one: a `conflict` in the resolver's words, or the downgrades."""

    conflict: str | None = None
    held_back: tuple[Downgrade, ...] = ()


@dataclass(frozen=True)
class Resolver:
    """Resolves families as `scripts/lock` does. `groups` is the file whose dependency groups are the families."""

    groups: Path
    locks: Path
    cache: Path

    def resolve_pair(self, first: str, second: str) -> Resolution:
        """Resolve two families as one. Packages keep the version of their lock where possible. Raises `Missing`."""
        locks = {family: (self.locks / f"{family}.lock").read_text(encoding="utf-8") for family in (first, second)}
        with tempfile.TemporaryDirectory() as scratch:
            both = Path(scratch) / "both.lock"
            # The resolver prefers the versions that its output file holds already.
            both.write_text("".join(locks.values()), encoding="utf-8")
            done = subprocess.run(
                uv_command(
                    "pip", "compile", "--quiet", "--color", "never", "--universal",
                    "--python-version", "3.11", "--no-annotate", "--no-header",
                    "--group", f"{self.groups}:{first}", "--group", f"{self.groups}:{second}",
                    "--output-file", str(both),
                ),
                env=index_environment(self.cache, os.environ), cwd=self.groups.parent,
                stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
            )  # fmt: skip
            if done.returncode == 0:
                return Resolution(held_back=tuple(_held_back(locks, both.read_text(encoding="utf-8"))))
        if _NO_SOLUTION not in done.stderr or _NOT_FOUND in done.stderr:
            raise Missing(
                "environment.resolve",
                f"the environments {first} and {second} were not resolved together: {_explanation(done.stderr)}",
                hint="check that a package index can be reached",
            )
        return Resolution(conflict=_explanation(done.stderr))


@dataclass(frozen=True)
class Claim:
    """One part of a family's declared reason: whether it still `holds`, and what was found."""

    family: str
    text: str
    holds: bool
    found: str


def check_reasons(families: Mapping[str, Family], resolver: Resolver) -> Iterator[Claim]:
    """Yield each part of each family's reason with the result of its check. Takes seconds for each pair of families.
    Raises `Missing`."""
    resolutions: dict[frozenset[str], Resolution] = {}

    def resolve_pair(first: str, second: str) -> Resolution:
        pair = frozenset((first, second))
        if pair not in resolutions:
            resolutions[pair] = resolver.resolve_pair(first, second)
        return resolutions[pair]

    for name, family in families.items():
        held = newest_versions((resolver.locks / f"{name}.lock").read_text(encoding="utf-8"))
        for package in family.without:
            found = f"its lock holds {package} {held[package]}" if package in held else "its lock does not hold it"
            yield Claim(name, f"without {package}", package not in held, found)
        for other in family.conflicts:
            conflict = resolve_pair(name, other).conflict
            yield Claim(name, f"conflicts with {other}", conflict is not None, conflict or "they fit together now")
        for other in family.holds_back:
            older = [each for each in resolve_pair(name, other).held_back if each.family == other]
            found = ", ".join(f"{each.package} {each.together} for {each.alone}" for each in older)
            yield Claim(name, f"holds back {other}", bool(older), found or "none of its packages gets older now")


def newest_versions(lock: str) -> dict[str, str]:
    """Return the packages of a lock with their versions. Of versions that depend on the machine or the Python, the
    newest counts."""
    found: dict[str, str] = {}
    for name, version in _PIN.findall(lock):
        found[name] = max(found.get(name, version), version, key=Version)
    return found


def _held_back(locks: dict[str, str], both: str) -> Iterator[Downgrade]:
    together = newest_versions(both)
    for family, lock in locks.items():
        for package, alone in newest_versions(lock).items():
            if package in together and Version(together[package]) < Version(alone):
                yield Downgrade(family, package, alone, together[package])


def _explanation(message: str) -> str:
    """Return the resolver's explanation on one line, without its first line and its hints."""
    text = message.partition("\nhint:")[0]
    cause = re.split(r"cause:|╰─▶", text, maxsplit=1)[-1]
    return " ".join(cause.split()) or "the resolver gave no reason"
