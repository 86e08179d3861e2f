"""Find what the cache does not need: models that no profile uses, other revisions, and remains of interrupted work.

Finding and deleting are separate, so that the user sees first what would be deleted. Unfinished files are kept for a
day, because a fetch can resume them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.model_cache.fetch_lock import FETCH_LOCK, MARK
from pipeline.model_cache.layout import Layout, layout_of
from pipeline.model_cache.manifest import LockedModel
from shared.environment_manager import hub_folder

KEEP_UNFINISHED_S = 24 * 3600
_UNFINISHED = (".part", ".incomplete")  # reel's own, and those of the hub's client, which never resumes them
# Folders that fetches and imports use while they run.
_SCRATCH = ("wheels-*", "import-*")


@dataclass(frozen=True)
class Surplus:
    """A file or a folder that may be deleted, with the reason and its size on the disk."""

    path: Path
    reason: str
    bytes: int


def repositories(cache: Path) -> list[Path]:
    """Return the folder of each model that reel has put into the cache, locked or not, in the hub's layout and in
    reel's own. A model without the mark belongs to another program that shares the cache."""
    folders = [*hub_folder(cache).glob("models--*"), *(cache / "models").glob("*")]
    return sorted(path for path in folders if (path / MARK).is_file() and not path.is_symlink())


def find_surplus(cache: Path, locked: Mapping[str, LockedModel], needed: Collection[str]) -> list[Surplus]:
    """Return everything that may be deleted, in order of path. `needed` are the models that some profile uses."""
    owners: dict[Path, tuple[str, Layout]] = {}
    for name, entry in locked.items():
        layout = layout_of(cache, name, entry)
        if layout.root not in owners or name in needed:  # two models may share a repository
            owners[layout.root] = name, layout
    found: list[Surplus] = []
    for root in repositories(cache):
        if root not in owners:
            found += _whole(root, "no model of this project")
        elif owners[root][0] not in needed:
            found += _whole(root, f"the model {owners[root][0]}, which no profile needs")
        elif locked[owners[root][0]].resolved:
            name, layout = owners[root]
            found += _inside(layout, locked[name])
    for folder in (cache, hub_folder(cache).parent):
        found += [
            _surplus(path, "left by an import that was interrupted") for path in folder.glob("import-*") if _old(path)
        ]
    transfers = hub_folder(cache).parent / "xet"
    if transfers.is_dir() and _old(transfers):
        found.append(_surplus(transfers, "pieces of finished transfers"))
    return found


def delete(surplus: Surplus) -> None:
    """Delete the file or folder; the caller holds the fetch lock of its folder."""
    if surplus.path.is_dir() and not surplus.path.is_symlink():
        shutil.rmtree(surplus.path)
    else:
        surplus.path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # it is not empty: then it is needed
        surplus.path.parent.rmdir()


def _whole(root: Path, reason: str) -> Iterator[Surplus]:
    if any(path.name not in {FETCH_LOCK, MARK} for path in root.iterdir()):
        yield _surplus(root, reason)


def _inside(layout: Layout, locked: LockedModel) -> Iterator[Surplus]:
    """Yield the files of a needed model that are outside its locked revision."""
    for snapshot in _entries(layout.root / "snapshots"):
        if snapshot.name != layout.revision:
            yield _surplus(snapshot, f"another revision than {layout.revision[:12]}")
    linked = {Path(os.path.realpath(path)) for path in layout.snapshot.rglob("*") if path.is_symlink()}
    wanted = {file.sha256 for file in locked.files.values()}
    for blob in _entries(layout.root / "blobs"):
        if blob.name.endswith(_UNFINISHED):
            if _old(blob):
                yield _surplus(blob, "a transfer that was never finished")
        elif blob.name not in wanted and Path(os.path.realpath(blob)) not in linked:
            yield _surplus(blob, "no file of the locked revision leads to it")
    for pattern in _SCRATCH:
        yield from (
            _surplus(path, "left by a fetch that was interrupted") for path in layout.root.glob(pattern) if _old(path)
        )


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _old(path: Path) -> bool:
    return time.time() - path.lstat().st_mtime > KEEP_UNFINISHED_S


def _surplus(path: Path, reason: str) -> Surplus:
    return Surplus(path, reason, size_on_disk(path))


def size_on_disk(path: Path) -> int:
    """Return the number of bytes that deleting would free. Links and files with several names count as nothing."""
    total = 0
    places = [path] if not path.is_dir() or path.is_symlink() else list(path.rglob("*"))
    for place in places:
        status = place.lstat()
        if not place.is_symlink() and place.is_file() and status.st_nlink == 1:
            total += status.st_size
    return total
