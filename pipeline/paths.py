"""Paths as a person reads them."""

from __future__ import annotations

from pathlib import Path


def shown(path: Path) -> str:
    """The path from where the user is, if it lies below, else whole."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
