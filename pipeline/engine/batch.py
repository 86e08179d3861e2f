"""Runs a batch of media files: the driver.

It admits one request after another. An item whose results can all be reused is finished at once, without an event loop
and without workers. From the first item with a step to run, items run concurrently.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pipeline.base import events
from pipeline.base.events import Emit
from pipeline.engine.admission import Admission
from pipeline.engine.batch_items import AT_ONCE, BatchItems, StartedItem
from pipeline.engine.item import ItemResult, Run
from pipeline.engine.library.skip_existing import open_chooser, open_existing_filter
from pipeline.engine.media_list import Request
from pipeline.engine.project import Project
from pipeline.engine.watch import Watch
from pipeline.publishing.batch_media import BatchMedia
from pipeline.store.media_file import MediaFile
from pipeline.store.store_lock import Waiting

_T = TypeVar("_T")
Stop = Callable[[], None]


@dataclass(frozen=True)
class BatchResult:
    """Result of each item, in the order of the requests."""

    items: tuple[ItemResult, ...]

    @property
    def failed(self) -> tuple[ItemResult, ...]:
        """Return the items that an error prevented from being finished."""
        return tuple(item for item in self.items if item.error)


def run_batch(
    requests: Iterable[Request] | AsyncIterable[Request],
    project: Project,
    emit: Emit,
    *,
    fail_fast: bool = False,
    continuing: bool = False,
    stop: Stop | None = None,
    purpose: str = "reel run",
) -> BatchResult:
    """Run the plan of each media file.

    Holds the lock of the store, and waits for it as the settings say. A failed item does not stop the others unless
    `fail_fast` is set. With `continuing`, files that the user edited since they were published become corrections
    first. `purpose` is shown to other processes that wait for the store.

    Requests may arrive during the run. The user's first interrupt then calls `stop`: no more requests arrive, and the
    running items are finished. Raises `KeyboardInterrupt` if the user ends the running items.
    """
    settings, records = project.settings, project.records()
    waiting = Waiting.of(settings.wait, lambda text: emit(events.Notice(None, None, text)))
    with records.store.open_for_writing(purpose, waiting):
        counted = list(requests) if isinstance(requests, Iterable) else None  # read while the store is locked
        history = records.history
        record = history.recording(emit)
        will_arrive = requests.awaits if isinstance(requests, Watch) else lambda path: False
        media = BatchMedia((request.media for request in counted or ()), will_arrive)
        admission = Admission(
            project.planner, records, project.key_context(), project.folders.output, media,
            record, takes_edits=continuing,
        )  # fmt: skip
        admission.check(counted or ())  # before the start: a command with wrong settings is not recorded as a run
        run = Run(history.start(settings.recipe, project.planner.profile.name), records, record)
        run.emit(events.RunStarted(run.id, None if counted is None else len(counted)))
        state = "interrupted"
        try:
            items = _open_items(run, project, admission, fail_fast=fail_fast)
            _run_all(items, requests if isinstance(requests, AsyncIterable) else counted or [], stop)
            result = BatchResult(tuple(items.results[index] for index in sorted(items.results)))
            state = "failed" if result.failed else "done"
        finally:
            history.finish(run.id, state)
            history.sweep_logs()
        return result


def _open_items(run: Run, project: Project, admission: Admission, *, fail_fast: bool) -> BatchItems:
    installed, index = project.installed, project.store.index
    existing = open_existing_filter(installed, index, admission, run.emit)
    chooser = open_chooser(installed, index, project.planner, run.emit)
    return BatchItems(run, installed, admission, fail_fast, chooser, existing)


def _run_all(items: BatchItems, requests: Sequence[Request] | AsyncIterable[Request], stop: Stop | None) -> None:
    """Run the items of all requests: those without a step to run first, then the rest with workers."""
    started, begin = None, 0
    if isinstance(requests, Sequence):
        requests = items.expect(requests)
        started, begin = _finish_reused(items, requests)
        if started is None:
            return
    # Imported here, because importing asyncio takes a fifth of the start-up time.
    from pipeline.engine.concurrency import BatchRunner

    BatchRunner(items, stop).run(started, requests, begin)


def _finish_reused(items: BatchItems, requests: Sequence[Request]) -> tuple[StartedItem | None, int]:
    """Admit the requests up to the first item with a step to run. Return it, and the number of admitted requests.

    The items before it are recorded in few transactions, because each one waits for the disk.
    """
    store = items.run.records.store

    async def read(media: Path) -> MediaFile:
        return store.media(media)

    for begin in range(0, len(requests), AT_ONCE):
        with store.one_write():
            for index in range(begin, min(begin + AT_ONCE, len(requests))):
                if started := _run_at_once(items.admit(index, requests[index], read)):
                    return started, index + 1
    return None, len(requests)


def _run_at_once(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine that never suspends, without an event loop, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        value: _T = finished.value
        return value
    raise AssertionError("the coroutine has suspended")
