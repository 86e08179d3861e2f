"""One plan for one media: every step reused or run as soon as what it needs is there."""

from __future__ import annotations

import asyncio
import time

from pipeline import events
from pipeline.errors import ReelError
from pipeline.executors.local import LocalExecutor
from pipeline.item import ItemRecord
from pipeline.plan import Step
from pipeline.preview import StepPreview, gather
from pipeline.result_key import Surroundings
from pipeline.step import Listening, keyed, run_step


class ItemRun:
    """The work on one item. A failed step keeps those behind it from running, and those not begun."""

    def __init__(self, record: ItemRecord, executor: LocalExecutor, surroundings: Surroundings) -> None:
        self._record, self._executor, self._surroundings = record, executor, surroundings

    async def complete(self, previews: list[StepPreview]) -> None:
        """See to every step of the plan; what became of each is in the record."""
        reasons = {preview.step.id: preview.why for preview in previews}
        finished = {step.id: asyncio.Event() for step in self._record.plan.steps}
        async with asyncio.TaskGroup() as group:
            for step in self._record.plan.steps:
                group.create_task(self._attend(step, reasons[step.id], finished))

    async def _attend(self, step: Step, reason: str, finished: dict[str, asyncio.Event]) -> None:
        """Wait for what the step needs, then see to it."""
        for needed in step.needs:
            await finished[needed].wait()
        try:
            if step.needs <= set(self._record.results):
                await self._see_to(step, reason)
            else:
                self._record.skipped(step)
        finally:
            finished[step.id].set()

    async def _see_to(self, step: Step, reason: str) -> None:
        record, item = self._record, self._record.item
        work = keyed(step, gather(step.inputs, item.digest, record.results), self._surroundings)
        if found := record.app.store.lookup(work.key):
            record.reused(step, found)
            return
        if record.error:
            record.skipped(step)
            return
        listening = Listening(
            started=lambda: record.started(step, reason),
            progress=lambda done: record.emit(events.StepProgress(item.name, step.id, done)),
            warning=lambda text: record.emit(events.Notice(item.name, step.id, text)),
        )
        started = time.monotonic()
        try:
            media = {**record.app.edits.files(item.digest), item.digest: item.media}
            result = await run_step(work, media, record.length_ms, record.app, self._executor, listening)
        except ReelError as error:
            record.failed(step, error, time.monotonic() - started)
        else:
            record.done(step, result, time.monotonic() - started)
