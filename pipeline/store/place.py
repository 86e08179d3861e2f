"""Check that a folder may be used as a result store, and tell which files in a store are its own."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.base.errors import UsageError

_DIGEST = re.compile(r"[0-9a-f]{64}")
_RUN = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}")
# A store rewrites and removes files below these names.
_OWN = ("staging", "objects", "manifests", "history", "runs", "edits", "index.sqlite")
_MARKS = ("lock", "owner.json", "observed.json")


def is_digest(name: str) -> bool:
    """Tell whether a name is a sha256, as contents and results are named."""
    return _DIGEST.fullmatch(name) is not None


def is_run(name: str) -> bool:
    """Tell whether a name is a run's id."""
    return _RUN.fullmatch(name) is not None


def check_place(root: Path) -> None:
    """Raise `UsageError` for a folder that is not a result store, but has a file or folder that a store would use."""
    taken = [name for name in _OWN if (root / name).exists()]
    if not taken or any((root / mark).exists() for mark in _MARKS) or _holds_results(root):
        return
    raise UsageError(
        "results.foreign",
        f"the folder {root} is not a result store, and holds a `{taken[0]}` that reel did not write",
        hint="choose a folder of its own for the results, with `--set results_dir=...`",
    )


def _holds_results(root: Path) -> bool:
    """Tell whether the folder holds results or runs: it may be a store that was copied without its marks."""
    results = any(is_digest(path.stem) for path in (root / "manifests").glob("*/*.json"))
    return results or any(is_run(path.stem) for path in (root / "history").glob("*.json"))
