"""The folders that may be a result store, and the files in a store that are its own: nothing else there is touched."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.base.errors import UsageError

_DIGEST = re.compile(r"[0-9a-f]{64}")
_RUN = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}")
# A store sweeps, rewrites or removes what lies below these names.
_OWN = ("staging", "objects", "manifests", "history", "runs", "edits", "index.sqlite")
_MARKS = ("lock", "owner.json", "observed.json")


def is_digest(name: str) -> bool:
    """Tell whether a name is a sha256, as contents and results are named."""
    return _DIGEST.fullmatch(name) is not None


def is_run(name: str) -> bool:
    """Tell whether a name is a run's id."""
    return _RUN.fullmatch(name) is not None


def check_place(root: Path) -> None:
    """Raise `UsageError` for a folder that is not a store of ours, and has something under a name that a store uses."""
    taken = [name for name in _OWN if (root / name).exists()]
    if not taken or any((root / mark).exists() for mark in _MARKS) or _holds_results(root):
        return
    raise UsageError(
        "results.foreign",
        f"the folder {root} is not a result store, and holds a `{taken[0]}` that reel did not write",
        hint="choose a folder of its own for the results, with `--set results_dir=...`",
    )


def _holds_results(root: Path) -> bool:
    """Return whether a store was copied here without its marks."""
    results = any(is_digest(path.stem) for path in (root / "manifests").glob("*/*.json"))
    return results or any(is_run(path.stem) for path in (root / "history").glob("*.json"))
