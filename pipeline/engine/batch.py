"""Runs many media files in one call: the driver of a batch.

It admits one request after the other. As long as every result of an item is reused, the item is finished at once, with
neither an event loop nor a worker. From the first item with a step to run, the items are worked on side by side.
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
        """Return the items that an error kept from being finished."""
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

    Holds the store, and waits for it as the settings say. A failed item does not stop the others, unless `fail_fast` is
    set. If the requests can be counted, they are read once the store is held. With `continuing`, files that a person
    edited since they were published are taken in as corrections first.

    Requests may arrive during the work. With `stop`, the user's first interrupt calls it, so that no more requests
    arrive, and the items at work are finished. Raises `KeyboardInterrupt` when the user ends the items at work.
    `purpose` is shown to other processes that wait for the store.
    """
    settings, installed, records = project.settings, project.installed, project.records()
    waiting = Waiting.of(settings.wait, lambda text: emit(events.Notice(None, None, text)))
    with records.store.open_for_writing(purpose, waiting):
        counted = list(requests) if isinstance(requests, Iterable) else None
        history = records.history
        record = history.recording(emit)
        awaits = requests.awaits if isinstance(requests, Watch) else lambda path: False
        media = BatchMedia((request.media for request in counted or ()), awaits)
        admission = Admission(
            project.planner, records, project.surroundings(), project.folders.output, media,
            record if continuing else None, running=record,
        )  # fmt: skip
        admission.check(counted or ())  # a refused command is not recorded as a run
        run = Run(history.start(settings.recipe, project.planner.profile.name), records, record)
        run.emit(events.RunStarted(run.id, None if counted is None else len(counted)))
        state = "interrupted"
        try:
            existing = open_existing_filter(installed, records.store.index, admission, run.emit)
            chooser = open_chooser(installed, records.store.index, project.planner, run.emit)
            items = BatchItems(run, installed, admission, fail_fast, chooser, existing)
            _run_all(items, requests if isinstance(requests, AsyncIterable) else counted or [], stop)
            result = BatchResult(tuple(items.results[index] for index in sorted(items.results)))
            state = "failed" if result.failed else "done"
        finally:
            history.finish(run.id, state)
            history.sweep_logs()
        return result


def _run_all(items: BatchItems, requests: Sequence[Request] | AsyncIterable[Request], stop: Stop | None) -> None:
    """Work on all requests, from the first item with a step to run on with workers."""
    started, begin = None, 0
    if isinstance(requests, Sequence):
        requests = items.expect(requests)
        started, begin = _finish_reused(items, requests)
        if started is None:
            return
    # Imported here: importing asyncio takes a fifth of the start-up time.
    from pipeline.engine.concurrency import BatchRunner

    BatchRunner(items, stop).run(started, requests, begin)


def _finish_reused(items: BatchItems, requests: Sequence[Request]) -> tuple[StartedItem | None, int]:
    """Admit the requests up to the first item with a step to run. Return it, and the number of requests admitted.

    Everything noted for the items before it is written in few transactions, so that the disk is waited for rarely.
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
    """Run a coroutine that never suspends, without an event loop. Any: a coroutine sends and receives nothing here."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        value: _T = finished.value
        return value
    raise AssertionError("the coroutine waits for something")
