"""Finds the results that may be deleted, and deletes them.

A result may be deleted if it is old or the store is too large, and no published job uses it. `job.json` in a job's
folder names the results that the job was made from. Jobs are searched in the folders where the history says that they
were published, in the neighbours of these folders, and where the user says that jobs were moved to. Only the process
with the lock of the store does this, so no other run is in progress.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.publishing.beside import place_of
from pipeline.publishing.record import JOB, Job, read_job
from pipeline.store.fetched_media import FetchedMedia, fetched_media
from pipeline.store.pinned import pinned
from pipeline.store.results import ResultStore, StoredResult
from shared.documents.base import DocumentError
from shared.language_model import Usage

_DAY_S = 24 * 3600
_FOR_DISPLAY = {"proxy"}  # stages whose results a page shows and no step needs
_DISPLAYED, _LARGE, _FETCHED, _SMALL = range(4)  # ranks, in the order of deletion
_LARGE_BYTES = 1_000_000  # sound and film; transcripts and subtitles of a long film are smaller


@dataclass(frozen=True)
class Surplus:
    """Result or fetched media file that may be deleted, or a content that no result uses, with an empty `key`."""

    key: str
    what: str
    reason: str
    age_s: float
    bytes: int  # freed by deleting it, once all before it in the list are deleted
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Survey:
    """Survey of a store: what may be deleted, in the order of deletion, how many bytes stay, and how many of these
    belong to published jobs. `lost` are folders of jobs that are not there: deleted, or moved elsewhere."""

    surplus: tuple[Surplus, ...]
    kept_bytes: int
    used_bytes: int
    lost: tuple[Path, ...]


@dataclass(frozen=True)
class SurveyOptions:
    """Options of a survey.

    With `intermediates`, a published job keeps only the results that it published, not those that these were made from.
    `unattended` is for a run that deletes without asking: results of paid services stay, and large published results
    may be deleted, because their files lie in the job's folder. The keys in `needed` always stay. `moved_to` are
    folders that may contain jobs at any depth.
    """

    intermediates: bool = False
    unattended: bool = False
    needed: Collection[str] = ()
    moved_to: Sequence[Path] = ()


@dataclass(frozen=True)
class _Candidate:
    """Result or fetched media file that nothing needs. `path` is its manifest or folder, `contents` are the digests of
    a result's files, and `bytes` is the size of a fetched file. Lower ranks are deleted first."""

    key: str
    what: str
    path: Path
    used_at: float
    rank: int
    contents: frozenset[str] = frozenset()
    bytes: int = 0


class _Contents:
    """Contents of a store with the manifests that use each: a content is freed when no manifest uses it any more."""

    def __init__(self, store: ResultStore, results: Mapping[Path, StoredResult]) -> None:
        self._sizes = store.contents.sizes()
        self._users: dict[str, set[Path]] = defaultdict(set)
        for path, result in results.items():
            for file in result.files:
                self._users[file.sha256].add(path)

    @property
    def used_bytes(self) -> int:
        """Return the size of the contents that some manifest uses."""
        return self.size_of(self._users)

    def unused(self) -> dict[str, int]:
        """Return the sizes of the contents that no manifest uses, by digest."""
        return {digest: size for digest, size in self._sizes.items() if digest not in self._users}

    def size_of(self, digests: Iterable[str]) -> int:
        """Return the size of those of the contents that exist."""
        return sum(self._sizes[digest] for digest in digests if digest in self._sizes)

    def release(self, digests: Iterable[str], path: Path) -> list[str]:
        """Record that the manifest `path` is deleted. Return those of its contents that are now unused."""
        freed = []
        for digest in digests:
            self._users[digest].discard(path)
            if not self._users[digest] and digest in self._sizes:
                freed.append(digest)
        return freed


def survey(store: ResultStore, older_than_s: float, keep_bytes: int | None, *, options: SurveyOptions) -> Survey:
    """Return what may be deleted: every result not used for `older_than_s`, then others until at most `keep_bytes`
    stay.

    Results for display come first, then large results, then media files that can be fetched again, then small results,
    because texts cost the most to make; among these, the least recently used comes first.
    """
    results = {path: result for path in store.manifests() if (result := _read(path)) is not None}
    jobs, lost = _jobs(store, options.moved_to)
    kept = store.contents.fresh | pinned(store.root)  # a run in progress is about to note results with the fresh ones
    used_keys = _used_keys(jobs, {result.key: result for result in results.values()}, options)
    used_keys |= {result.key for result in results.values() if any(file.sha256 in kept for file in result.files)}
    contents = _Contents(store, results)
    fetched = list(fetched_media(store.root))
    candidates = [
        *_unused_results(results, used_keys, _last_used(store)),
        *(_fetched(media) for media in fetched if not (media.key in options.needed or _digest(store, media) in kept)),
    ]  # fmt: skip
    surplus = [_unused_content(store, digest, size) for digest, size in contents.unused().items()]
    total = contents.used_bytes + sum(media.bytes for media in fetched)
    now, by_rank = time.time(), keep_bytes is not None
    for unused in sorted(candidates, key=lambda found: (found.rank if by_rank else 0, found.used_at, found.path)):
        age_s = now - unused.used_at
        is_old = age_s > older_than_s
        if not is_old and (keep_bytes is None or total <= keep_bytes):
            continue
        freed = contents.release(unused.contents, unused.path)
        size = unused.bytes + contents.size_of(freed)
        total -= size
        why = f"not used for {age_s / _DAY_S:.0f} days" if is_old else "the oldest above the size limit"
        paths = (unused.path, *map(store.object_path, freed))
        surplus.append(Surplus(unused.key, unused.what, why, age_s, size, paths))
    used = {file.sha256 for result in results.values() if result.key in used_keys for file in result.files}
    return Survey(tuple(surplus), total, contents.size_of(used), lost)


def _unused_results(
    results: Mapping[Path, StoredResult], used_keys: Collection[str], last_used: Mapping[str, float]
) -> Iterator[_Candidate]:
    for path, result in results.items():
        if result.key in used_keys:
            continue
        stage, is_large = result.ingredients["stage"], sum(file.size for file in result.files) >= _LARGE_BYTES
        yield _Candidate(
            result.key, f"{stage} ({result.ingredients['backend']})", path,
            last_used[result.key] if result.key in last_used else _written_at(path),
            _DISPLAYED if stage in _FOR_DISPLAY else _LARGE if is_large else _SMALL,
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
    """Delete these results and contents: the row of each first, then its manifest, then its contents, so that an
    incomplete result is never found."""
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
    """Return the published jobs that exist, by folder, and the folders of those that do not."""
    rows = store.index.query("SELECT DISTINCT folder, media FROM run_items WHERE folder IS NOT NULL")
    published = {Path(str(folder)): str(media) for folder, media in rows}
    renamed = (found.parent for folder in {place.parent for place in published} for found in folder.glob(f"*/{JOB}"))
    moved = (found.parent for folder in moved_to for found in folder.rglob(JOB))
    jobs = {place: job for place in {*published, *renamed, *moved} if (job := read_job(place)) is not None}
    media_files = {job.media for job in jobs.values()}
    lost = sorted(folder for folder, media in published.items() if folder not in jobs and media not in media_files)
    return jobs, tuple(lost)


def _used_keys(jobs: Mapping[Path, Job], results: Mapping[str, StoredResult], options: SurveyOptions) -> set[str]:
    """Return the keys that stay: those that published jobs use, or only those of the results that they published."""
    used = set(options.needed)
    for folder, job in jobs.items():
        published = set(job.files.values())
        if options.unattended:
            published -= _large_copies(folder, job)
        for key in (str(step["key"]) for step in job.steps.values()):
            made = {file.sha256 for file in results[key].files} if key in results else set()
            if published & made or not options.intermediates:
                used.add(key)
    if options.unattended:
        used |= {key for key, result in results.items() if Usage.from_facts(result.facts).requests}
    return used


def _large_copies(folder: Path, job: Job) -> set[str]:
    """Return the digests of large files in the job's folder, which need no second copy in the store."""
    found = set()
    for name, digest in job.files.items():
        with contextlib.suppress(OSError):
            if place_of(folder, name).stat().st_size >= _LARGE_BYTES:
                found.add(digest)
    return found


def _last_used(store: ResultStore) -> dict[str, float]:
    """Return the time at which a run last made or reused each result, in seconds, by key."""
    rows = store.index.query("SELECT key, MAX(ended_ms) FROM run_steps WHERE key IS NOT NULL GROUP BY key")
    return {str(key): float(str(at)) / 1000 for key, at in rows if at is not None}


def _unused_content(store: ResultStore, digest: str, size: int) -> Surplus:
    path = store.object_path(digest)
    return Surplus("", digest[:12], "no result uses it", time.time() - _written_at(path), size, (path,))


def _written_at(path: Path) -> float:
    """Return the time at which a file was written; the time now if a concurrent run has deleted it."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def _read(path: Path) -> StoredResult | None:
    try:
        return StoredResult.read(path)
    except (OSError, DocumentError):
        return None
