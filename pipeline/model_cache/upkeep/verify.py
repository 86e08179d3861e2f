"""Compare every byte of the cache with the lock, on all cores, and delete wrong files. No network is used.

Each thread hashes one file at a time. The largest files come first, because a file cannot be split between threads.
Sizes are compared before anything is read.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipeline.base import events
from pipeline.base.events import Emit
from pipeline.base.hardware import available_cores
from pipeline.model_cache.fetch_lock import hold_fetch_locks
from pipeline.model_cache.layout import Layout, layout_of
from pipeline.model_cache.manifest import LockedFile, LockedModel
from shared.files import sha256_of

_SECONDS_BETWEEN_EVENTS = 0.1  # a progress bar needs no more, and at 2 GB/s events would slow the check down
LOCK_ITSELF = "the lock"  # stands for the file of a problem that concerns no file
REFERENCE = "refs/main"  # calls without a revision go by it when they are offline
Tick = Callable[[int], None]


@dataclass(frozen=True)
class Problem:
    """A file of a model that differs from the lock, and how."""

    model: str
    file: str
    sentence: str


class _Meter:
    """Turn bytes counted by many threads into a few events."""

    def __init__(self, total: int, emit: Emit) -> None:
        self._total, self._emit = total, emit
        self._done, self._reported_at = 0, 0.0
        self._guard = threading.Lock()

    def count(self, size: int) -> None:
        """Add to the number of bytes read."""
        with self._guard:
            self._done += size
            now = time.monotonic()
            if now - self._reported_at >= _SECONDS_BETWEEN_EVENTS or self._done == self._total:
                self._reported_at = now
                self._emit(events.CheckProgress(self._done, self._total))


@contextlib.contextmanager
def metered(total_bytes: int, emit: Emit) -> Iterator[Tick]:
    """Report the reading of this number of bytes: call the yielded function with the size of each piece, from any
    thread."""
    started = time.monotonic()
    emit(events.CheckStarted(total_bytes))
    yield _Meter(total_bytes, emit).count
    emit(events.CheckFinished(total_bytes, time.monotonic() - started))


def check_models(
    names: Iterable[str], cache: Path, locked: Mapping[str, LockedModel], emit: Emit
) -> dict[str, list[Problem]]:
    """Return the problems of each model, file by file; an empty list for a verified model."""
    found: dict[str, list[Problem]] = {name: [] for name in names}
    wanted = [
        (name, file, layout_of(cache, name, locked[name]).snapshot / file, entry)
        for name in found
        for file, entry in locked[name].files.items()
    ]
    wanted.sort(key=lambda item: -item[3].size)
    readable = sum(entry.size for _, _, place, entry in wanted if _size_of(place) == entry.size)
    with metered(readable, emit) as tick, ThreadPoolExecutor(max_workers=available_cores()) as pool:
        sentences = pool.map(lambda item: wrong_with(item[2], item[3], tick), wanted)
        for (name, file, _, _), sentence in zip(wanted, sentences, strict=True):
            if sentence:
                found[name].append(Problem(name, file, sentence))
    for name, problems in found.items():
        if not locked[name].resolved:
            problems.append(Problem(name, LOCK_ITSELF, "the lock does not know all of its files"))
        layout = layout_of(cache, name, locked[name])
        if locked[name].repo and layout.snapshot.is_dir() and (sentence := _wrong_with_reference(layout)):
            problems.append(Problem(name, REFERENCE, sentence))
    return found


def wrong_with(place: Path, locked: LockedFile, tick: Tick) -> str | None:
    """Return how the file at `place` differs from the locked one; None if it is the same."""
    size = _size_of(place)
    if size is None:
        return f"{place} leads nowhere" if place.is_symlink() else f"{place} is not there"
    if size != locked.size:
        return f"{place} has {size} bytes, expected {locked.size}"
    try:
        found = sha256_of(place, tick)
    except OSError as error:
        return f"{place} cannot be read: {error.strerror}"
    return None if found == locked.sha256 else f"{place} has sha256 {found}, expected {locked.sha256}"


def drop(problems: Iterable[Problem], cache: Path, locked: Mapping[str, LockedModel]) -> None:
    """Delete the wrong files, so that a fetch downloads only those again. Raises `Locked`."""
    for problem in problems:
        layout = layout_of(cache, problem.model, locked[problem.model])
        with hold_fetch_locks([layout.root]):
            if problem.file == REFERENCE:
                layout.write_reference()
            if problem.file in {REFERENCE, LOCK_ITSELF}:
                continue
            (layout.snapshot / problem.file).unlink(missing_ok=True)
            blob, entry = layout.blob(locked[problem.model].files[problem.file].sha256), locked[problem.model]
            # A correct blob behind a broken link is kept, so that the fetch only links it again.
            if blob.is_file() and wrong_with(blob, entry.files[problem.file], lambda size: None):
                blob.unlink()


def _size_of(place: Path) -> int | None:
    try:
        return place.stat().st_size if place.is_file() else None
    except OSError:
        return None


def _wrong_with_reference(layout: Layout) -> str | None:
    place = layout.root / REFERENCE
    try:
        found = place.read_text(errors="replace", encoding="utf-8")
    except OSError:
        return f"{place} is not there, so calls without a revision fail offline"
    return None if found == layout.revision else f"{place} names {found[:40]!r}, expected {layout.revision!r}"
