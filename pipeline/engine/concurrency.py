"""Works on many items at once: as many as keep the workers busy, and no more than fit on the disk."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from dataclasses import replace

from pipeline.base import events
from pipeline.base.errors import MediaChanged
from pipeline.engine.batch import Batch, Begun
from pipeline.engine.item import ItemResult
from pipeline.engine.item_run import ItemRunner, RunContext
from pipeline.engine.media_list import Request
from pipeline.engine.size_limit import SizeLimit
from pipeline.engine.step_run import StepRunner
from pipeline.store.media_file import read_media
from pipeline.store.worker_stats import Measurements
from pipeline.workers.open_dispatcher import open_dispatcher

_STAGE_BY_STAGE = 32  # items at once if the models do not all fit in memory: each change of model costs a load
_LEAST_FREE_BYTES = 1 << 30
_LEAST_FREE_OF_MEDIA = 3  # times its size, for the audio and the films that its steps write
_SIGNALS = (signal.SIGINT, signal.SIGTERM)

Numbered = tuple[int, Request]


async def enumerate_requests(
    requests: Sequence[Request] | AsyncIterable[Request], begin: int
) -> AsyncIterator[Numbered]:
    """Yield the requests from number `begin` on, each with its number."""
    if isinstance(requests, Sequence):
        for index in range(begin, len(requests)):
            yield index, requests[index]
    else:
        index = begin
        async for request in requests:
            yield index, request
            index += 1


class BatchRunner:
    """Concurrent work on the items of a batch.

    `left` is how many requests are still to be prepared, or None if that is not known. `stop` ends the arrival of
    requests; if it is given, the first interrupt calls it.
    """

    def __init__(
        self, batch: Batch, measurements: Measurements, left: int | None, stop: Callable[[], None] | None = None
    ) -> None:
        self._batch, self._measurements, self._left, self._stop = batch, measurements, left, stop
        self._limit = SizeLimit(batch.installed.settings.results_limit, batch.run.records.store, batch.run.emit)
        self._interrupts = 0  # of the work
        self._at_work: dict[asyncio.Task[None], Begun] = {}

    def work(self, first: Begun | None, requests: AsyncIterator[Numbered]) -> None:
        """Work on all requests. Raises `KeyboardInterrupt` if the user ended the work."""
        with asyncio.Runner() as loop:
            loop.run(self._work(first, requests))
        if self._interrupts:
            raise KeyboardInterrupt

    async def _work(self, first: Begun | None, requests: AsyncIterator[Numbered]) -> None:
        batch, run = self._batch, self._batch.run
        loop = asyncio.get_running_loop()
        surroundings = batch.admission.surroundings = replace(
            batch.admission.surroundings, fallbacks=self._measurements.fallbacks
        )
        logs = run.records.history.folder(run.id)
        async with open_dispatcher(batch.installed, logs, self._measurements, run.emit) as dispatcher:
            steps = StepRunner(run.records.store, batch.installed.models, dispatcher)
            context = RunContext(batch.installed, steps, surroundings)
            work = asyncio.create_task(self._run_all(first, requests, context))

            def interrupt(politely: bool) -> None:
                if politely and self._stop:
                    run.emit(events.Notice(None, None, "finishing the files at work; interrupt again to stop"))
                    self._stop()
                    self._stop = None
                    return
                self._interrupts += 1
                if self._interrupts > 1:
                    dispatcher.kill_now()
                else:
                    run.emit(events.Notice(None, None, "stopping; interrupt again to end everything at once"))
                    dispatcher.stop_assigning()
                    work.cancel()

            with contextlib.suppress(NotImplementedError):  # Windows has no such handlers
                for number in _SIGNALS:
                    # The sender of SIGTERM, such as a system that shuts down, waits for a few seconds only.
                    loop.add_signal_handler(number, interrupt, number == signal.SIGINT)
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

    async def _run_all(self, first: Begun | None, requests: AsyncIterator[Numbered], context: RunContext) -> None:
        """Prepare one request after the other, and keep at most as many items at work as have room. An error of the run
        itself ends it."""
        if first:
            self._start(first, context)
        arriving: asyncio.Task[Numbered | None] | None = asyncio.create_task(_next(requests))
        try:
            while arriving or self._at_work:
                if arriving and arriving.done() and self._has_room(arriving.result(), context):
                    arrived = arriving.result()
                    arriving = None if arrived is None else asyncio.create_task(_next(requests))
                    if arrived is not None:
                        await self._admit(*arrived, context)
                    continue
                awaited = {*self._at_work, *([arriving] if arriving and not arriving.done() else [])}
                done, _ = await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
                for task in [one for one in self._at_work if one in done]:
                    del self._at_work[task]
                    task.result()  # raises errors that do not belong to one item
                    self._limit.keep(self._needed)
                if self._batch.over:
                    await self._cancel_rest()
        finally:
            tasks = [*self._at_work, *([arriving] if arriving else [])]
            for one in tasks:
                one.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _cancel_rest(self) -> None:
        """Cancel the items at work, because another item failed."""
        left, self._at_work = self._at_work, {}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for begun in left.values():
            item = begun.tracker.item
            self._batch.results[begun.index] = ItemResult(item.name, item.media, "skipped", None, None, 0, 0.0)

    def _has_room(self, arrived: Numbered | None, context: RunContext) -> bool:
        """Tell whether another item may begin beside those at work."""
        if arrived is None or not self._at_work:
            return True
        settings = self._batch.installed.settings
        fitting = 2 * context.steps.dispatcher.cpus + 2 if context.steps.dispatcher.all_fit() else _STAGE_BY_STAGE
        if len(self._at_work) >= (settings.look_ahead or fitting):
            return False
        _, request = arrived
        try:
            wanted = max(_LEAST_FREE_BYTES, _LEAST_FREE_OF_MEDIA * request.media.stat().st_size)
        except OSError:
            wanted = _LEAST_FREE_BYTES
        return self._limit.free(wanted, self._needed)

    def _needed(self) -> set[str]:
        """Return the keys of results that are still needed: by the items at work, and by later ones that an earlier run
        may have worked on."""
        keys = {result.key for begun in self._at_work.values() for result in begun.tracker.results.values()}
        keys |= {one.key for begun in self._at_work.values() for one in begun.previews if one.key}
        return keys | self._batch.keys_to_come()

    async def _admit(self, index: int, request: Request, context: RunContext) -> None:
        batch, store = self._batch, self._batch.run.records.store
        if index in batch.results:  # passed over
            return
        if self._left is not None:
            self._left -= 1
        if batch.over:
            batch.skip(index, request)
            return
        if self._left is None:  # it arrived just now and has not been checked for existing subtitles
            [request] = batch.pass_over([request], index)
        if index in batch.results or not batch.is_file(index, request):
            return
        try:
            media = store.known_media(request.media)
            if media is None:
                media = await asyncio.to_thread(read_media, request.media)
                store.remember(media)
        except MediaChanged as error:
            batch.refuse(index, request, error)
            return
        except OSError as error:
            batch.unreadable(index, request, error)
            return
        if begun := batch.begin(index, request, media):
            self._start(begun, context)
        context.steps.dispatcher.unstarted_per_active = self._left / max(len(self._at_work), 1) if self._left else 0.0

    def _start(self, begun: Begun, context: RunContext) -> None:
        self._at_work[asyncio.create_task(self._run_item(begun, context))] = begun

    async def _run_item(self, begun: Begun, context: RunContext) -> None:
        tracker = begun.tracker
        work = ItemRunner(tracker, context)
        await work.complete(begun.previews)
        if tracker.is_worth_publishing:
            await work.publish()
        self._batch.finish(begun.index, tracker)


async def _next(requests: AsyncIterator[Numbered]) -> Numbered | None:
    return await anext(requests, None)
