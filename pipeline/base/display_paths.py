"""Paths as shown to a user."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.base.display import one_line


def shown(path: Path) -> str:
    """Return the path relative to the current folder if it lies below it, else in full; on one line and safe on a
    terminal."""
    here, text = os.getcwd(), str(path)  # noqa: PTH109 - as text, since a batch shows thousands
    return one_line(as_text("." if text == here else text.removeprefix(os.path.join(here, ""))))


def as_text(path: Path | str) -> str:
    """Return the path as text that can be stored; a byte that is not UTF-8 looks like `\\xff`."""
    return os.fsencode(path).decode(errors="backslashreplace")
