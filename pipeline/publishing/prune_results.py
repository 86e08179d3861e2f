"""Repairs a result store, and finds the results that may be deleted.

A result may be deleted if it is old or the store is too large, and no published job uses it. `job.json` in a job's
folder names the results that it was made from. The search for such folders covers the places where the history says
that jobs were published, their neighbours, and the folders to which the user says that jobs were moved. The store's one
writer does all of this, so that no run is in progress.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.publishing.beside import place_of
from pipeline.publishing.record import JOB, Job, read_job
from pipeline.store.fetched_media import FetchedMedia, fetched_media
from pipeline.store.pinned import pinned
from pipeline.store.results import ResultStore, StoredResult
from shared.documents.base import DocumentError
from shared.files import is_intact
from shared.language_model import Usage

_DAY_S = 24 * 3600
_ONLY_LOOKED_AT = {"proxy"}  # stages whose results a page shows, and no step needs
_LOOKED_AT, _LARGE, _FETCHED, _SMALL = range(4)  # in the order of deletion
_LARGE_BYTES = 1_000_000  # sound and film; transcripts and subtitles of a long film are smaller


@dataclass(frozen=True)
class Repaired:
    """Findings of a repair. `index` says why the index was rebuilt, or is None if it was complete."""

    index: str | None
    results: int
    unreadable: tuple[Path, ...]  # removed manifests
    damaged: tuple[Path, ...]  # removed contents that did not have the digest in their name
    incomplete: tuple[str, ...]  # keys of results with missing contents: they are made again when needed
    histories: tuple[Path, ...]  # damaged or lost files of runs, written again from the index
    lost: tuple[Path, ...]  # damaged files of runs that are not in the index either


def repair(store: ResultStore, damage: str | None, progress: Callable[[int, int], None]) -> Repaired:
    """Read every content and every manifest, remove the damaged ones, and rebuild the index.

    `damage` is what was wrong with the index before it was opened. `progress` receives the bytes read and the total.
    """
    contents = store.contents.places()
    sizes = {path: path.lstat().st_size for path in contents}
    done, damaged = 0, []
    for path in contents:
        if not is_intact(path, path.name):
            damaged.append(path)
            _take_away(path)
        done += sizes[path]
        progress(done, sum(sizes.values()))
    unreadable, incomplete, complete = [], [], 0
    for path in store.manifests():
        key = _key_of(path)
        if key is None:
            unreadable.append(path)
            _take_away(path)
        elif store.lookup(key) is None:
            incomplete.append(key)
        else:
            complete += 1
    why = damage or store.index.damage()
    store.index.rebuild(store.refill)
    histories, lost = store.index.keep_runs(store.history)
    return Repaired(why, complete, tuple(unreadable), tuple(damaged), tuple(incomplete), tuple(histories), tuple(lost))


def _take_away(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


@dataclass(frozen=True)
class Surplus:
    """Result or fetched media file that may be deleted, or a content that no result uses; then `key` is empty."""

    key: str
    what: str
    reason: str
    age_s: float
    bytes: int  # freed by deleting it, once all before it in the list are deleted
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Survey:
    """Content of the store: what may be deleted, oldest first, how much stays, and how much of that is for published
    jobs. `lost` are folders of jobs that cannot be found: deleted, or moved elsewhere."""

    surplus: tuple[Surplus, ...]
    kept_bytes: int
    used_bytes: int
    lost: tuple[Path, ...]


@dataclass(frozen=True)
class Ask:
    """Limits of a survey.

    With `intermediates`, a published job keeps only the results that it published, not those that they were made from.
    `by_itself` is for a run without a person watching: it keeps results that a service was paid for, and gives up large
    published results whose files lie in the job's folder. `spared` are keys that always stay. `moved_to` are folders
    that may hold jobs at any depth.
    """

    intermediates: bool = False
    by_itself: bool = False
    spared: Collection[str] = ()
    moved_to: Sequence[Path] = ()


@dataclass(frozen=True)
class _Candidate:
    """Result, or fetched media file, that nothing needs. `path` is its manifest or folder, `contents` the digests of a
    result's files, `bytes` what is freed beside those. The `rank` says when it is deleted."""

    key: str
    what: str
    path: Path
    used_at: float
    rank: int
    contents: frozenset[str] = frozenset()
    bytes: int = 0


def survey(store: ResultStore, older_than_s: float, keep_bytes: int | None, *, ask: Ask) -> Survey:
    """Return what may be deleted: every result not used for `older_than_s`, then others until at most `keep_bytes`
    stay.

    What was made only to be looked at comes first, then large results, then media files that can be fetched again, then
    small results, for texts cost the most to make; the oldest of each first.
    """
    results = {path: result for path in store.manifests() if (result := _read(path)) is not None}
    jobs, lost = _jobs(store, ask.moved_to)
    used_keys = _in_use(jobs, {result.key: result for result in results.values()}, ask)
    kept = store.contents.fresh | pinned(store.root)  # a run in progress is about to note results with the fresh ones
    used_keys |= {
        candidate.key for candidate in results.values() if any(file.sha256 in kept for file in candidate.files)
    }
    holders: dict[str, set[Path]] = defaultdict(set)
    for path, result in results.items():
        for file in result.files:
            holders[file.sha256].add(path)
    sizes = store.contents.sizes()
    surplus = [_stray(store, name, size) for name, size in sizes.items() if name not in holders]
    now, last_used = time.time(), _last_used(store)
    fetched = list(fetched_media(store.root))
    total = sum(sizes[name] for name in holders if name in sizes) + sum(media.bytes for media in fetched)
    candidates = [
        *_results_without_use(results, used_keys, last_used),
        *(_fetched(media) for media in fetched if not (media.key in ask.spared or _digest(store, media) in kept)),
    ]  # fmt: skip
    by_rank = keep_bytes is not None
    for unused in sorted(candidates, key=lambda found: (found.rank if by_rank else 0, found.used_at, found.path)):
        old, too_much = now - unused.used_at > older_than_s, keep_bytes is not None and total > keep_bytes
        if not (old or too_much):
            continue
        for name in unused.contents:
            holders[name].discard(unused.path)
        freed = [name for name in unused.contents if not holders[name] and name in sizes]
        size = unused.bytes + sum(sizes[name] for name in freed)
        total -= size
        why = f"not used for {(now - unused.used_at) / _DAY_S:.0f} days" if old else "the oldest above the size limit"
        paths = (unused.path, *map(store.object_path, freed))
        surplus.append(Surplus(unused.key, unused.what, why, now - unused.used_at, size, paths))
    used = {file.sha256 for result in results.values() if result.key in used_keys for file in result.files}
    return Survey(tuple(surplus), total, sum(sizes[name] for name in used if name in sizes), lost)


def _results_without_use(
    results: Mapping[Path, StoredResult], used_keys: Collection[str], last_used: Mapping[str, float]
) -> Iterator[_Candidate]:
    for path, result in results.items():
        if result.key in used_keys:
            continue
        stage, is_large = result.ingredients["stage"], sum(file.size for file in result.files) >= _LARGE_BYTES
        yield _Candidate(
            result.key, f"{stage} ({result.ingredients['backend']})", path,
            last_used[result.key] if result.key in last_used else _written_at(path),
            _LOOKED_AT if stage in _ONLY_LOOKED_AT else _LARGE if is_large else _SMALL,
            frozenset(file.sha256 for file in result.files),
        )  # fmt: skip


def _fetched(media: FetchedMedia) -> _Candidate:
    return _Candidate(
        media.key, f"fetched: {media.file.name}", media.folder, media.used_at, _FETCHED, bytes=media.bytes
    )


def _digest(store: ResultStore, media: FetchedMedia) -> str | None:
    try:
        known = store.known_media(media.file)
    except OSError:
        return None
    return known.digest if known else None


def delete(store: ResultStore, surplus: Iterable[Surplus]) -> None:
    """Delete the given results and contents.

    Each loses its row first, then its manifest, then its contents, so that an incomplete result is never found.
    """
    for unused in surplus:
        if unused.key:
            store.index.execute("DELETE FROM results WHERE key = ?", (unused.key,), wait=False)
        for path in unused.paths:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)  # of a fetched media file
            elif path.suffix:
                path.unlink(missing_ok=True)  # its manifest
            else:
                store.contents.remove(path.name)


def _jobs(store: ResultStore, moved_to: Sequence[Path]) -> tuple[dict[Path, Job], tuple[Path, ...]]:
    """Return every published job that can be found, by its folder, and the folders of jobs that cannot."""
    rows = store.index.query("SELECT DISTINCT folder, media FROM run_items WHERE folder IS NOT NULL")
    published = {Path(str(folder)): str(media) for folder, media in rows}
    renamed = (found.parent for folder in {place.parent for place in published} for found in folder.glob(f"*/{JOB}"))
    moved = (found.parent for folder in moved_to for found in folder.rglob(JOB))
    jobs = {place: job for place in {*published, *renamed, *moved} if (job := read_job(place)) is not None}
    there = {job.media for job in jobs.values()}
    lost = sorted(folder for folder, media in published.items() if folder not in jobs and media not in there)
    return jobs, tuple(lost)


def _in_use(jobs: Mapping[Path, Job], results: Mapping[str, StoredResult], ask: Ask) -> set[str]:
    """Return the keys that stay: those that published jobs use, or only those of the results that they published."""
    used = set(ask.spared)
    for folder, job in jobs.items():
        published = set(job.files.values())
        if ask.by_itself:
            published -= _large_copies(folder, job)
        for key in (str(step["key"]) for step in job.steps.values()):
            if not ask.intermediates or (key in results and published & {file.sha256 for file in results[key].files}):
                used.add(key)
    if ask.by_itself:
        used |= {key for key, result in results.items() if Usage.from_facts(result.facts).requests}
    return used


def _large_copies(folder: Path, job: Job) -> set[str]:
    """Return the digests of large files that lie in the job's folder, and need no second copy in the store."""
    found = set()
    for name, digest in job.files.items():
        with contextlib.suppress(OSError):
            if place_of(folder, name).stat().st_size >= _LARGE_BYTES:
                found.add(digest)
    return found


def _last_used(store: ResultStore) -> dict[str, float]:
    """Return when a run last made or reused each result, in seconds."""
    rows = store.index.query("SELECT key, MAX(ended_ms) FROM run_steps WHERE key IS NOT NULL GROUP BY key")
    return {str(key): float(str(at)) / 1000 for key, at in rows if at is not None}


def _stray(store: ResultStore, name: str, size: int) -> Surplus:
    path = store.object_path(name)
    return Surplus("", name[:12], "no result uses it", time.time() - _written_at(path), size, (path,))


def _written_at(path: Path) -> float:
    """Return when a file was written; the time now if a concurrent run has removed it."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def _key_of(path: Path) -> str | None:
    result = _read(path)
    return result.key if result is not None and result.key == path.stem else None


def _read(path: Path) -> StoredResult | None:
    try:
        return StoredResult.read(path)
    except (OSError, DocumentError):
        return None
