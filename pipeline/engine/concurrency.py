"""Runs items concurrently: as many as keep the workers busy, and no more than fit on the disk."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.base import events
from pipeline.engine.batch_items import BatchItems, StartedItem
from pipeline.engine.item_run import ItemRunner, RunContext
from pipeline.engine.media_list import Request
from pipeline.engine.size_limit import SizeLimit
from pipeline.engine.step_run import StepRunner
from pipeline.store.fetched_media import key_of
from pipeline.store.media_file import MediaFile, read_media
from pipeline.workers.dispatcher import Dispatcher
from pipeline.workers.open_dispatcher import open_dispatcher

_ACTIVE_STAGE_BY_STAGE = 32  # items if the models do not all fit in memory: the more, the fewer loads of a model
_LEAST_FREE_BYTES = 1 << 30
_LEAST_FREE_PER_MEDIA = 3  # times the size of a media file, for the audio and the films that its steps write
_SIGNALS = (signal.SIGINT, signal.SIGTERM)

Numbered = tuple[int, Request]


class BatchRunner:
    """Runs the items of a batch concurrently. If `stop` is given, the first interrupt calls it, to end the arrival of
    requests."""

    def __init__(self, items: BatchItems, stop: Callable[[], None] | None = None) -> None:
        self._items, self._run, self._stop = items, items.run, stop
        self._store, self._settings = items.run.records.store, items.installed.settings
        self._measurements = items.installed.measurements()
        self._limit = SizeLimit(self._settings.results_limit, self._store, items.run.emit)
        self._interrupts = 0  # without the one that called `stop`
        self._active: dict[asyncio.Task[None], StartedItem] = {}

    def run(
        self, first: StartedItem | None, requests: Sequence[Request] | AsyncIterable[Request], begin: int = 0
    ) -> None:
        """Run the item `first`, which was admitted already, and the requests from number `begin` on.

        Raises `KeyboardInterrupt` if the user interrupted the run.
        """
        with asyncio.Runner() as loop:
            loop.run(self._run_interruptibly(first, _enumerate(requests, begin)))
        if self._interrupts:
            raise KeyboardInterrupt

    async def _run_interruptibly(self, first: StartedItem | None, requests: AsyncIterator[Numbered]) -> None:
        items, loop = self._items, asyncio.get_running_loop()
        key_context = items.admission.key_context = replace(
            items.admission.key_context, fallbacks=self._measurements.fallbacks
        )
        logs = self._run.records.history.folder(self._run.id)
        async with open_dispatcher(items.installed, logs, self._measurements, self._run.emit) as dispatcher:
            steps = StepRunner(self._store, items.installed.models, dispatcher)
            work = asyncio.create_task(self._run_all(first, requests, RunContext(items.installed, steps, key_context)))
            with contextlib.suppress(NotImplementedError):  # Windows has no such handlers
                for number in _SIGNALS:
                    # After SIGTERM there is no time to finish items: a system that shuts down waits for a few seconds.
                    loop.add_signal_handler(number, self._interrupt, work, dispatcher, number == signal.SIGINT)
            try:
                await work
            except asyncio.CancelledError:
                if not self._interrupts:
                    raise
            finally:
                await dispatcher.close()
                self._measurements.save()
                with contextlib.suppress(NotImplementedError):
                    for number in _SIGNALS:
                        loop.remove_signal_handler(number)

    def _interrupt(self, work: asyncio.Task[None], dispatcher: Dispatcher, may_finish: bool) -> None:
        """End the arrival of requests if the running items may finish, then the items, then the workers: each signal
        goes one step further."""
        if may_finish and self._stop:
            self._run.emit(events.Notice(None, None, "finishing the files at work; interrupt again to stop"))
            self._stop()
            self._stop = None
            return
        self._interrupts += 1
        if self._interrupts > 1:
            dispatcher.kill_now()
        else:
            self._run.emit(events.Notice(None, None, "stopping; interrupt again to end everything at once"))
            dispatcher.stop_assigning()
            work.cancel()

    async def _run_all(self, first: StartedItem | None, requests: AsyncIterator[Numbered], context: RunContext) -> None:
        """Admit one request after another, whenever there is room for one more item. An error that does not belong to a
        single item ends the run."""
        if first:
            self._start(first, context)
        arriving: asyncio.Task[Numbered | None] | None = asyncio.create_task(_next(requests))
        try:
            while arriving or self._active:
                if arriving and arriving.done() and self._has_room(arriving.result(), context):
                    arrived = arriving.result()
                    arriving = None if arrived is None else asyncio.create_task(_next(requests))
                    if arrived is not None:
                        await self._admit(*arrived, context)
                    continue
                awaited = {*self._active, *([arriving] if arriving and not arriving.done() else [])}
                done, _ = await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
                for task in [active for active in self._active if active in done]:
                    del self._active[task]
                    task.result()  # raises errors that do not belong to one item
                    self._limit.keep(self._needed_keys)
                if self._items.over:
                    await self._cancel_rest()
        finally:
            tasks = [*self._active, *([arriving] if arriving else [])]
            for active in tasks:
                active.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _cancel_rest(self) -> None:
        """Cancel the running items, because another item failed."""
        rest, self._active = self._active, {}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        for started in rest.values():
            self._items.abandon(started)

    def _has_room(self, arrived: Numbered | None, context: RunContext) -> bool:
        """Tell whether another item may begin beside the running ones."""
        if arrived is None or not self._active:
            return True
        dispatcher = context.steps.dispatcher
        most = 2 * dispatcher.cpus + 2 if dispatcher.all_fit() else _ACTIVE_STAGE_BY_STAGE
        if len(self._active) >= (self._settings.look_ahead or most):
            return False
        _, request = arrived
        try:
            needed = max(_LEAST_FREE_BYTES, _LEAST_FREE_PER_MEDIA * request.media.stat().st_size)
        except OSError:
            needed = _LEAST_FREE_BYTES
        return self._limit.free(needed, self._needed_keys)

    def _needed_keys(self) -> set[str]:
        """Return the keys of the results and fetched files that are still needed, by running items or by later ones."""
        keys = self._items.expected_keys()
        for started in self._active.values():
            keys |= {result.key for result in started.tracker.results.values()}
            keys |= {preview.key for preview in started.previews if preview.key}
            if fetched := key_of(started.tracker.item.media, self._store.root):
                keys.add(fetched)
        return keys

    async def _admit(self, index: int, request: Request, context: RunContext) -> None:
        if started := await self._items.admit(index, request, self._read):
            self._start(started, context)
        left = self._items.unprepared
        context.steps.dispatcher.unstarted_per_active = left / max(len(self._active), 1) if left else 0.0

    async def _read(self, media: Path) -> MediaFile:
        """Return a media file with its digest; a thread reads a file that the index does not know."""
        known = self._store.known_media(media)
        if known is None:
            known = await asyncio.to_thread(read_media, media)
            self._store.remember(known)
        return known

    def _start(self, started: StartedItem, context: RunContext) -> None:
        self._active[asyncio.create_task(self._run_item(started, context))] = started

    async def _run_item(self, started: StartedItem, context: RunContext) -> None:
        tracker = started.tracker
        runner = ItemRunner(tracker, context)
        await runner.complete(started.previews)
        if tracker.is_worth_publishing:
            await runner.publish()
        self._items.finish(started.index, tracker)


async def _enumerate(requests: Sequence[Request] | AsyncIterable[Request], begin: int) -> AsyncIterator[Numbered]:
    """Yield the requests from number `begin` on, each with its number."""
    if isinstance(requests, Sequence):
        for index in range(begin, len(requests)):
            yield index, requests[index]
    else:
        index = begin
        async for request in requests:
            yield index, request
            index += 1


async def _next(requests: AsyncIterator[Numbered]) -> Numbered | None:
    return await anext(requests, None)
