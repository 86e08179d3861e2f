"""Keeps the store below its size limit: deletes results of finished jobs while the run works on others.

A survey of a large store takes seconds, so it is made only when the limit is exceeded, and then a quarter of the limit
is freed: about once for every thirty films, and never for a file without a step to run.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection

from pipeline.base import events
from pipeline.base.events import Emit
from pipeline.base.sizes import size_in
from pipeline.publishing.prune_results import SurveyOptions, delete, survey
from pipeline.store.fetched_media import fetched_media
from pipeline.store.results import ResultStore

_SHARE = 0.5  # of the free disk and the results; the other half is for published files and for other programs
_KEPT = 0.75  # of the limit, after it was exceeded
_GROWTH = 0.05  # of the limit: growth until the next survey if the last one could not free enough
NONE, AUTO = "none", "auto"


class SizeLimit:
    """Keeps the store of one run below its size limit."""

    def __init__(self, setting: str, store: ResultStore, emit: Emit) -> None:
        self._store, self._emit = store, emit
        self._limit = limit_of(setting, store)
        self._next = self._limit  # the size at which the next survey is made
        self._has_warned = False

    def keep(self, in_use: Callable[[], Collection[str]]) -> None:
        """Delete results if the limit is exceeded, but none with the keys `in_use` and none that a published job
        needs."""
        if self._limit is None or self._next is None or held_bytes(self._store) <= self._next:
            return
        self._shrink(int(self._limit * _KEPT), in_use)
        left = held_bytes(self._store)
        self._next = max(self._limit, left + int(self._limit * _GROWTH))
        if left > self._limit and not self._has_warned:
            self._has_warned = True
            text = f"the results take {left / 1e9:.1f} GB, more than `results_limit` ({self._limit / 1e9:.1f} GB): all"
            text += " that is left is published, corrected or needed for the files at work"
            self._emit(events.Notice(None, None, text))

    def free(self, needed: int, in_use: Callable[[], Collection[str]]) -> bool:
        """Delete results until `needed` bytes of the disk are free, and return whether they are."""
        free = shutil.disk_usage(self._store.root).free
        if free < needed and self._limit is not None:
            self._shrink(max(held_bytes(self._store) - (needed - free), 0), in_use)
            free = shutil.disk_usage(self._store.root).free
        return free >= needed

    def _shrink(self, size: int, in_use: Callable[[], Collection[str]]) -> None:
        options = SurveyOptions(intermediates=True, unattended=True, needed=in_use())
        found = survey(self._store, float("inf"), size, options=options)
        with self._store.one_write(wait=False):
            delete(self._store, [surplus for surplus in found.surplus if surplus.key])


def limit_of(setting: str, store: ResultStore) -> int | None:
    """Return the limit in bytes; None for no limit."""
    if setting == NONE:
        return None
    if setting != AUTO:
        return size_in(setting)
    disk = next(path for path in (store.root, *store.root.parents) if path.exists())
    return int((shutil.disk_usage(disk).free + held_bytes(store)) * _SHARE)


def held_bytes(store: ResultStore) -> int:
    """Return the bytes that count for the limit: of the results, and of media files fetched from addresses."""
    return store.contents.bytes + sum(fetched.bytes for fetched in fetched_media(store.root))
