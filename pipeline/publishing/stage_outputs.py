"""Puts the outputs of a single stage into a folder of the user, where only files that reel wrote are replaced."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

from pipeline.base.errors import BadInput
from shared.files import sha256_of, write_atomically

RECORD = ".reel-stage.json"
"""The file with the digest of each output that `reel stage` put into a folder, by name."""


def place_outputs(staging: Path, folder: Path) -> None:
    """Move everything in `staging` into `folder`. Raises `BadInput`, and moves nothing, if a file of the same name was
    not written there by reel, or was edited since."""
    known = _recorded(folder)
    outputs = sorted(staging.iterdir())
    for path in outputs:
        place = folder / path.name
        if os.path.lexists(place) and known.get(path.name) != _digest(place):
            raise BadInput(
                "stage.kept",
                f"{place} would be replaced, and reel did not write it, or it was edited since",
                hint="name another folder with `-o`, or move that file away; nothing was replaced",
            )
    known |= {path.name: _digest(path) for path in outputs}
    write_atomically(folder / RECORD, json.dumps(known, indent=1, sort_keys=True).encode())
    for path in outputs:
        place = folder / path.name
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        os.replace(path, place)


def _recorded(folder: Path) -> dict[str, str]:
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # without a record, no file there counts as reel's
        return {}
    return record if isinstance(record, dict) else {}


def _digest(path: Path) -> str:
    """Return the digest of a file, or of all files below a folder with their names; empty for anything else."""
    if path.is_file():
        return sha256_of(path)
    if not path.is_dir():
        return ""
    files = sorted(part for part in path.rglob("*") if part.is_file())
    listed = "\n".join(f"{file.relative_to(path).as_posix()} {sha256_of(file)}" for file in files)
    return hashlib.sha256(listed.encode("utf-8", "surrogateescape")).hexdigest()
