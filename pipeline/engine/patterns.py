"""Expands patterns such as `films/**/*.mkv`, without following links to folders.

Python's `glob` follows links at `**`. Two links that lead up then give 2 to the power of 40 paths, and the search never
ends.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from pathlib import Path

_ANY_DEPTH = "**"


def expand(pattern: str, root: Path) -> list[str]:
    """Return the matches of a pattern below `root`, a folder before its content. A pattern that ends with `**` matches
    the folder itself."""
    return sorted(set(_expand(pattern, root)), key=lambda match: Path(match).parts)


def _expand(pattern: str, root: Path) -> Iterator[str]:
    parts = Path(pattern).parts
    if _ANY_DEPTH not in parts:
        yield from glob.glob(pattern, root_dir=root)
        return
    place = parts.index(_ANY_DEPTH)
    head, rest = os.path.join(*parts[:place], ""), parts[place + 1 :]
    for start in glob.glob(head, root_dir=root) if head else [""]:
        if not rest:
            yield start or os.curdir
            continue
        for folder, inside, _ in os.walk(root / start):
            inside[:] = [name for name in inside if not name.startswith(".")]
            below = os.path.join(start, os.path.relpath(folder, root / start))
            yield from _expand(os.path.join(glob.escape(os.path.normpath(below)), *rest), root)
