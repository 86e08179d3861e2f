"""Looks after a result store: what is damaged in it, and what may go.

A result may go when it is old or the store is too large, and no published job uses it. `job.json` in a job's folder
says which results it was made from. Such folders are looked for where the history says that jobs were published,
beside those, and wherever the user says that jobs were moved. Everything here is done by the store's one writer, so
that no run is in progress.
"""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.publishing.record import JOB, Job, read_job
from pipeline.store.results import ResultStore, StoredResult
from shared.documents.base import DocumentError
from shared.files import is_sound

_DAY_S = 24 * 3600


@dataclass(frozen=True)
class Repaired:
    """What a repair found. `index` says why the index was made anew; None where it was whole."""

    index: str | None
    results: int
    unreadable: tuple[Path, ...]  # manifests, taken away
    damaged: tuple[Path, ...]  # contents that are not what their name says, taken away
    incomplete: tuple[str, ...]  # keys of results without all of their contents: they are made again when needed
    histories: tuple[Path, ...]  # files of runs, damaged or lost, written anew from what the index still had
    lost: tuple[Path, ...]  # damaged files of runs that the index does not have either


def repair(store: ResultStore, damage: str | None, progress: Callable[[int, int], None]) -> Repaired:
    """Read every content and every manifest, take away what is not what it says, and make the index anew. `damage` is
    what was wrong with the index before it was opened; `progress` hears of bytes read and bytes in all."""
    contents = sorted((store.root / "objects").glob("*/*"))
    sizes = {path: path.lstat().st_size for path in contents}
    done, damaged = 0, []
    for path in contents:
        if not is_sound(path, path.name):
            damaged.append(path)
            _take_away(path)
        done += sizes[path]
        progress(done, sum(sizes.values()))
    unreadable, incomplete, whole = [], [], 0
    for path in store.manifests():
        key = _key_of(path)
        if key is None:
            unreadable.append(path)
            _take_away(path)
        elif store.lookup(key) is None:
            incomplete.append(key)
        else:
            whole += 1
    why = damage or store.index.damage()
    store.index.rebuild(store.refill)
    histories, lost = store.index.keep_runs(store.history)
    return Repaired(why, whole, tuple(unreadable), tuple(damaged), tuple(incomplete), tuple(histories), tuple(lost))


def _take_away(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


@dataclass(frozen=True)
class Surplus:
    """A result that may go, or contents that no result has. `key` is empty for those."""

    key: str
    what: str
    reason: str
    age_s: float
    bytes: int  # that deleting it, and all before it in the list, gives back
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Survey:
    """What the store holds: what may go, oldest first, and how much stays, and of that how much for published jobs.
    `lost` are the folders of jobs that are nowhere to be found: deleted, or moved far away."""

    surplus: tuple[Surplus, ...]
    kept_bytes: int
    used_bytes: int
    lost: tuple[Path, ...]


def survey(
    store: ResultStore, older_than_s: float, keep_bytes: int | None, *, intermediates: bool,
    moved_to: Sequence[Path] = (),
) -> Survey:  # fmt: skip
    """What may go: every result not used for `older_than_s`, then the oldest of the others until no more than
    `keep_bytes` stay. With `intermediates`, a published job keeps the results that it published, and not those that
    they were made from. `moved_to` are folders that may hold jobs at any depth."""
    results = {path: result for path in store.manifests() if (result := _read(path)) is not None}
    jobs, lost = _jobs(store, moved_to)
    used_keys = _in_use(jobs, {result.key: result for result in results.values()}, intermediates)
    holders: dict[str, set[Path]] = defaultdict(set)
    for path, result in results.items():
        for file in result.files:
            holders[file.sha256].add(path)
    sizes = {path.name: path.stat().st_size for path in (store.root / "objects").glob("*/*")}
    surplus = [_stray(store, name, size) for name, size in sizes.items() if name not in holders]
    now, last_used = time.time(), _last_used(store)
    by_age = sorted((last_used.get(result.key, path.stat().st_mtime), path) for path, result in results.items())
    total = sum(sizes[name] for name in holders if name in sizes)
    for used_at, path in by_age:
        result = results[path]
        if result.key in used_keys:
            continue
        old, too_much = now - used_at > older_than_s, keep_bytes is not None and total > keep_bytes
        if not (old or too_much):
            continue
        names = {file.sha256 for file in result.files}
        for name in names:
            holders[name].discard(path)
        freed = [name for name in names if not holders[name] and name in sizes]
        size = sum(sizes[name] for name in freed)
        total -= size
        why = f"not used for {(now - used_at) / _DAY_S:.0f} days" if old else "the oldest of what is too much"
        what = f"{result.ingredients['stage']} ({result.ingredients['backend']})"
        surplus.append(Surplus(result.key, what, why, now - used_at, size, (path, *map(store.object_path, freed))))
    used = {file.sha256 for result in results.values() if result.key in used_keys for file in result.files}
    return Survey(tuple(surplus), total, sum(sizes[name] for name in used if name in sizes), lost)


def delete(store: ResultStore, surplus: Iterable[Surplus]) -> None:
    """Delete them, each from its row over its manifest to its contents, so that a result is never found in part."""
    for one in surplus:
        if one.key:
            store.index.execute("DELETE FROM results WHERE key = ?", (one.key,), wait=False)
        for path in one.paths:
            path.unlink(missing_ok=True)


def _jobs(store: ResultStore, moved_to: Sequence[Path]) -> tuple[list[Job], tuple[Path, ...]]:
    """Every published job that can be found, and the folders from which one has gone without a trace."""
    told = store.index.query("SELECT DISTINCT folder, media FROM run_items WHERE folder IS NOT NULL")
    published = {Path(str(folder)): str(media) for folder, media in told}
    renamed = (found.parent for folder in {place.parent for place in published} for found in folder.glob(f"*/{JOB}"))
    moved = (found.parent for folder in moved_to for found in folder.rglob(JOB))
    jobs = {place: job for place in {*published, *renamed, *moved} if (job := read_job(place)) is not None}
    there = {job.media for job in jobs.values()}
    lost = sorted(folder for folder, media in published.items() if folder not in jobs and media not in there)
    return list(jobs.values()), tuple(lost)


def _in_use(jobs: Iterable[Job], results: Mapping[str, StoredResult], intermediates: bool) -> set[str]:
    """The keys that published jobs use; with `intermediates`, only those of what they published."""
    used: set[str] = set()
    for job in jobs:
        published = set(job.files.values())
        for key in (str(step["key"]) for step in job.steps.values()):
            if not intermediates or (key in results and published & {file.sha256 for file in results[key].files}):
                used.add(key)
    return used


def _last_used(store: ResultStore) -> dict[str, float]:
    """When a run last made or reused each result, in seconds."""
    rows = store.index.query("SELECT key, MAX(ended_ms) FROM run_steps WHERE key IS NOT NULL GROUP BY key")
    return {str(key): float(str(at)) / 1000 for key, at in rows if at is not None}


def _stray(store: ResultStore, name: str, size: int) -> Surplus:
    path = store.object_path(name)
    return Surplus("", name[:12], "no result has it", time.time() - path.stat().st_mtime, size, (path,))


def _key_of(path: Path) -> str | None:
    result = _read(path)
    return result.key if result is not None and result.key == path.stem else None


def _read(path: Path) -> StoredResult | None:
    try:
        return StoredResult.read(path)
    except (OSError, DocumentError):
        return None
