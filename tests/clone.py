"""A fresh clone of the project: what git would bring, with the environments that are built already."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.conftest import ROOT

_OF_THIS_CHECKOUT = {
    "config/own", "config/hardware_cache.json", "config/secrets.json", "reel.toml", "out",
    ".git", ".cache", ".venvs", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache",
}  # fmt: skip


def fresh_clone(folder: Path) -> Path:
    """Make a clone below `folder` and return its path. Its environments are the project's own: what builds one there
    must not run in it."""
    clone = folder / "clone"

    def ignored(place: str, names: list[str]) -> set[str]:
        inside = Path(place).relative_to(ROOT)
        return {name for name in names if name == "__pycache__" or (inside / name).as_posix() in _OF_THIS_CHECKOUT}

    shutil.copytree(ROOT, clone, ignore=ignored, symlinks=True)
    (clone / ".venvs").symlink_to(ROOT / ".venvs")
    return clone
