"""Read the declared families of environments from `config/environments.toml`."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from pydantic import ValidationError

from pipeline.base.errors import UsageError
from shared.documents.base import Frozen
from shared.mistakes import first_mistake


class Family(Frozen):
    """A family as `config/environments.toml` declares it. `conflicts`, `holds_back` and `without` state its `reason` in
    a form that can be checked."""

    reason: str
    probe: str
    python: str = "3.11"  # the oldest that its packages run on
    conflicts: tuple[str, ...] = ()  # families that cannot be resolved together with this one
    holds_back: tuple[str, ...] = ()  # families that would get older packages together with this one
    without: tuple[str, ...] = ()  # packages that its lock must not hold
    builds: tuple[str, ...] = ()  # packages without a wheel, built from their source
    absent: dict[str, tuple[str, ...]] = {}  # by system and processor: packages that have no wheel there

    def absent_on(self, system: str, machine: str) -> tuple[str, ...]:
        """Return the packages of the lock that have no wheel for a system and processor, such as `win32`, `AMD64`."""
        return self.absent.get(f"{system} {machine}", ())

    @property
    def runs_here(self) -> bool:
        """Tell whether the Python of this process is new enough."""
        return sys.version_info >= tuple(map(int, self.python.split(".")))


def load_families(path: Path) -> dict[str, Family]:
    """Return the declared families by name."""
    try:
        return {
            name: Family.model_validate(table)
            for name, table in tomllib.loads(path.read_text(encoding="utf-8")).items()
        }
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        why = first_mistake(error) if isinstance(error, ValidationError) else error
        raise UsageError("environments.invalid", f"{path} does not declare environments: {why}") from error
