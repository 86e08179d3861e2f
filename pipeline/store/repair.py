"""Repairs a result store: deletes damaged results, and rebuilds the index. No run may be in progress."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.store.results import ResultStore, StoredResult
from shared.documents.base import DocumentError
from shared.files import is_intact


@dataclass(frozen=True)
class Repaired:
    """Findings of a repair. `index` says what was wrong with the index; None if it was complete."""

    index: str | None
    results: int
    unreadable: tuple[Path, ...]  # deleted manifests
    damaged: tuple[Path, ...]  # deleted contents that did not have the digest in their name
    incomplete: tuple[str, ...]  # keys of results with missing contents; they are made again when needed
    histories: tuple[Path, ...]  # damaged or lost files of the history, written again from the index
    lost: tuple[Path, ...]  # damaged files of the history with runs that the index does not have


def repair(store: ResultStore, damage: str | None, progress: Callable[[int, int], None]) -> Repaired:
    """Read every content and every manifest, delete the damaged ones, and rebuild the index.

    `damage` is what was wrong with the index before it was opened. `progress` receives the number of bytes read and the
    total.
    """
    contents = store.contents.places()
    sizes = {path: path.lstat().st_size for path in contents}
    done, damaged = 0, []
    for path in contents:
        if not is_intact(path, path.name):
            damaged.append(path)
            _delete(path)
        done += sizes[path]
        progress(done, sum(sizes.values()))
    unreadable, incomplete, complete = [], [], 0
    for path in store.manifests():
        key = _key_of(path)
        if key is None:
            unreadable.append(path)
            _delete(path)
        elif store.lookup(key) is None:
            incomplete.append(key)
        else:
            complete += 1
    why = damage or store.index.damage()
    store.index.rebuild(store.refill)
    histories, lost = store.index.keep_runs(store.history)
    return Repaired(why, complete, tuple(unreadable), tuple(damaged), tuple(incomplete), tuple(histories), tuple(lost))


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _key_of(path: Path) -> str | None:
    """Return the key in a manifest; None if it cannot be read, or is not the one in its name."""
    try:
        key = StoredResult.read(path).key
    except (OSError, DocumentError):
        return None
    return key if key == path.stem else None
