"""Read the facts about a model from the hub cache of another tool, without a network.

A client of the hub names a large file by the sha256 that the hub stated, and a small one by its git digest. So a
snapshot of the pinned commit whose bytes have these digests proves what the commit holds.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pipeline.model_cache.facts import differences, files_of
from pipeline.model_cache.lock_models import locked_paths
from pipeline.model_cache.manifest import UNKNOWN, HubSource, LockedFile, LockedModel, Model
from shared.files import sha256_of

_SHA256, _GIT = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")
_INDEX = ".index.json"  # lists the parts of weights that come in several files


def proven(
    folders: Sequence[Path], models: Mapping[str, Model], locked: Mapping[str, LockedModel]
) -> dict[str, LockedModel]:
    """Return the models that no lock knows completely and whose pinned commit is in the folders, as it proves them."""
    found: dict[str, LockedModel] = {}
    for name, entry in locked.items():
        source = next((candidate for candidate in models[name].sources if isinstance(candidate, HubSource)), None)
        if entry.resolved or entry.repo is None or entry.revision == UNKNOWN or source is None:
            continue
        for snapshot in _snapshots(folders, entry):
            if proof := _proof(snapshot, entry, source):
                found[name] = proof
                break
    return found


def _snapshots(folders: Sequence[Path], entry: LockedModel) -> Iterator[Path]:
    repository = f"models--{str(entry.repo).replace('/', '--')}"
    for folder in folders:
        for root, names, _ in os.walk(folder):
            if repository in names:
                snapshot = Path(root) / repository / "snapshots" / entry.revision
                if snapshot.is_dir():
                    yield snapshot
            names[:] = [name for name in names if not name.startswith("models--")]


def _proof(snapshot: Path, entry: LockedModel, source: HubSource) -> LockedModel | None:
    """Return the model as the snapshot proves it. None if a file is missing, not named by its digest, or has other
    bytes, or if it contradicts the lock; and if no file names are known, since the snapshot may then be incomplete."""
    paths = [path.relative_to(snapshot).as_posix() for path in sorted(snapshot.rglob("*")) if path.is_file()]
    wanted = locked_paths(source, paths)
    known = set(files_of(entry))
    if not known or not known | _parts(snapshot, wanted) <= wanted:
        return None
    files: dict[str, LockedFile] = {}
    for name in sorted(wanted):
        if (file := _checked(snapshot / name)) is None:
            return None
        files[name] = file
    found = LockedModel(repo=entry.repo, revision=entry.revision, files=files)
    return None if any(differences(entry, found)) else found


def _parts(snapshot: Path, wanted: set[str]) -> set[str]:
    """Return the files that lists of weights among these files name."""
    parts: set[str] = set()
    for name in wanted:
        if name.endswith(_INDEX):
            try:
                held = json.loads((snapshot / name).read_bytes())["weight_map"].values()
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
            parts |= {(Path(name).parent / str(part)).as_posix() for part in held}
    return parts


def _checked(path: Path) -> LockedFile | None:
    """Return a file's facts if its bytes have the digest that names them."""
    real = path.resolve()
    sha256, size = sha256_of(real), real.stat().st_size
    if _SHA256.fullmatch(real.name):
        return LockedFile(size=size, sha256=sha256) if sha256 == real.name else None
    if not _GIT.fullmatch(real.name):
        return None
    digest = hashlib.sha1(b"blob %d\0" % size + real.read_bytes(), usedforsecurity=False).hexdigest()
    return LockedFile(size=size, sha256=sha256) if digest == real.name else None
