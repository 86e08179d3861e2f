"""Find what keeps two families of environments apart: ask the resolver to put them into one."""

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
from pipeline.environments.environments import Family
from pipeline.environments.package_index import index_environment, uv_command

_PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)==(\S+)", re.MULTILINE)
_UNSUITED, _UNKNOWN = "No solution found", "was not found in"  # the latter without an index: that proves nothing


@dataclass(frozen=True)
class HeldBack:
    """A package that `family` would get in an older version if it shared an environment."""

    family: str
    package: str
    alone: str
    together: str


@dataclass(frozen=True)
class Together:
    """The result of resolving two families as one: a `conflict` in the resolver's words, or the downgrades."""

    conflict: str | None = None
    held_back: tuple[HeldBack, ...] = ()


@dataclass(frozen=True)
class Resolver:
    """Resolves families as `scripts/lock` does. `groups` is the file whose dependency groups are the families."""

    groups: Path
    locks: Path
    cache: Path

    def together(self, first: str, second: str) -> Together:
        """Resolve two families as one, each package as its lock has it where that is possible. Raises `Missing`."""
        locks = {family: (self.locks / f"{family}.lock").read_text(encoding="utf-8") for family in (first, second)}
        with tempfile.TemporaryDirectory() as scratch:
            both = Path(scratch) / "both.lock"
            both.write_text(
                "".join(locks.values()), encoding="utf-8"
            )  # the resolver keeps to what its output file holds already
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
                return Together(held_back=tuple(_held_back(locks, both.read_text(encoding="utf-8"))))
        if _UNSUITED not in done.stderr or _UNKNOWN in done.stderr:
            raise Missing(
                "environment.resolve",
                f"the environments {first} and {second} were not resolved together: {_words(done.stderr)}",
                hint="check that a package index can be reached",
            )
        return Together(conflict=_words(done.stderr))


@dataclass(frozen=True)
class Claim:
    """One part of a family's declared reason, and what was found of it; it `holds` or has gone."""

    family: str
    text: str
    holds: bool
    found: str


def claims(families: Mapping[str, Family], resolver: Resolver) -> Iterator[Claim]:
    """Prove each family's reason as far as it can be proved: seconds for each pair. Raises `Missing`."""
    asked: dict[frozenset[str], Together] = {}

    def together(first: str, second: str) -> Together:
        pair = frozenset((first, second))
        if pair not in asked:
            asked[pair] = resolver.together(first, second)
        return asked[pair]

    for name, family in families.items():
        held = newest((resolver.locks / f"{name}.lock").read_text(encoding="utf-8"))
        for package in family.without:
            found = f"its lock holds {package} {held[package]}" if package in held else "its lock does not hold it"
            yield Claim(name, f"without {package}", package not in held, found)
        for other in family.conflicts:
            conflict = together(name, other).conflict
            yield Claim(name, f"conflicts with {other}", conflict is not None, conflict or "they fit together now")
        for other in family.holds_back:
            older = [each for each in together(name, other).held_back if each.family == other]
            found = ", ".join(f"{each.package} {each.together} for {each.alone}" for each in older)
            yield Claim(name, f"holds back {other}", bool(older), found or "none of its packages gets older now")


def newest(lock: str) -> dict[str, str]:
    """Return the packages of a lock with their versions; the newest of those that depend on the machine or the
    Python."""
    found: dict[str, str] = {}
    for name, version in _PIN.findall(lock):
        found[name] = max(found.get(name, version), version, key=Version)
    return found


def _held_back(locks: dict[str, str], both: str) -> Iterator[HeldBack]:
    together = newest(both)
    for family, lock in locks.items():
        for package, alone in newest(lock).items():
            if package in together and Version(together[package]) < Version(alone):
                yield HeldBack(family, package, alone, together[package])


def _words(message: str) -> str:
    """Return the resolver's explanation on one line, without its first line and its hints."""
    text = message.partition("\nhint:")[0]
    cause = re.split(r"cause:|╰─▶", text, maxsplit=1)[-1]
    return " ".join(cause.split()) or "the resolver gave no reason"
