"""One plan for one media: every step reused or run as soon as what it needs is there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field

from pipeline.base import events
from pipeline.base.errors import ReelError
from pipeline.engine.item import ItemRecord
from pipeline.engine.language_models import language_heard, with_model
from pipeline.engine.preview import StepPreview, gather
from pipeline.engine.step_run import Keyed, Listening, keyed, run_step
from pipeline.plan.model import FromUser, Step, leaves
from pipeline.plan.oom_fallback import descent
from pipeline.plan.result_key import InputDigests, Surroundings
from pipeline.store.results import StoredResult
from pipeline.workers.dispatcher import Dispatcher


@dataclass
class Shared:
    """What the items of a batch share: the workers, and the jobs in progress, so that none is done twice."""

    dispatcher: Dispatcher
    surroundings: Surroundings
    jobs: dict[str, asyncio.Task[StoredResult]] = field(default_factory=dict)


class ItemRun:
    """The work on one item. A failed step keeps those behind it from running, and those not begun."""

    def __init__(self, record: ItemRecord, shared: Shared) -> None:
        self._record, self._shared = record, shared

    async def complete(self, previews: list[StepPreview]) -> None:
        """See to every step of the plan; what became of each is in the record."""
        reasons = {preview.step.id: preview.why for preview in previews}
        due = {preview.step.id for preview in previews if preview.verdict != "reused"}
        finished = {step.id: asyncio.Event() for step in self._record.plan.steps}
        for step in self._record.plan.steps:
            if step.id in due:
                if not step.waits_for_language:
                    self._expect(step, 1)
                for leaf in leaves(step.inputs):
                    if isinstance(leaf, FromUser):
                        self._record.app.store.keep(leaf.content)
        await all_of(self._attend(step, reasons[step.id], finished, step.id in due) for step in self._record.plan.steps)

    async def _attend(self, step: Step, reason: str, finished: dict[str, asyncio.Event], expected: bool) -> None:
        """Wait for what the step needs, then see to it."""
        for needed in step.needs:
            await finished[needed].wait()
        try:
            if step.needs <= set(self._record.results):
                await self._see_to(step, reason)
            else:
                self._record.skipped(step)
        finally:
            if expected and not step.waits_for_language:
                self._expect(step, -1)
            finished[step.id].set()

    async def _see_to(self, step: Step, reason: str) -> None:
        record, surroundings = self._record, self._shared.surroundings
        started = time.monotonic()
        if step.waits_for_language:
            try:
                step = await self._for_language(step)
            except ReelError as error:
                record.failed(step, error, time.monotonic() - started)
                return
        digests: InputDigests = gather(step.inputs, record.item.digest, record.results)
        tries = descent(step, surroundings.rungs)
        works = [keyed(one, digests, surroundings) for one in _distinct(step, tries[0])]
        for work in works:
            if found := record.app.store.reusable(work.key):
                record.reused(step, found)
                return
        work = works[-1]
        if record.error:
            record.skipped(step)
            return
        started = time.monotonic()
        at_work = self._shared.jobs.get(work.key)
        try:
            if at_work is not None:  # another item with the same content
                record.reused(step, await asyncio.shield(at_work))
                return
            result = await self._begin(work, tries[1:], reason)
        except ReelError as error:
            record.failed(step, error, time.monotonic() - started)
        else:
            record.done(step, result, time.monotonic() - started)

    async def _for_language(self, step: Step) -> Step:
        """The step with the models for the language that was heard, which may have to be fetched. Raises `Missing`."""
        record, language = self._record, language_heard(step.inputs, self._record.results)
        offline = record.app.settings.offline
        return await asyncio.to_thread(
            with_model, step, language, record.app.models, record.emit, record.item.name, offline=offline
        )

    async def _begin(self, work: Keyed, below: list[Step], reason: str) -> StoredResult:
        record, item, step, jobs = self._record, self._record.item, work.step, self._shared.jobs
        listening = Listening(
            waiting=lambda what: record.emit(events.StepWaiting(item.name, step.id, what)),
            started=lambda worker: record.started(step, reason, worker),
            progress=lambda done: record.emit(events.StepProgress(item.name, step.id, done)),
            warning=lambda text: record.emit(events.Notice(item.name, step.id, text)),
        )
        order = (-item.priority, -float(item.plan.depths[step.id]), float(item.index))
        media = {**record.app.edits.files(item.digest, item.edits), item.digest: item.media}
        job = asyncio.create_task(
            run_step(work, below, media, record.length_ms, record.app, self._shared.dispatcher, listening, order)
        )
        jobs[work.key] = job
        try:
            return await job
        finally:
            del jobs[work.key]

    def _expect(self, step: Step, jobs: int) -> None:
        models = {role: self._record.app.models.snapshot(name) for role, name in step.models.items()}
        self._shared.dispatcher.expect(step, models, jobs)


def _distinct(asked: Step, first: Step) -> list[Step]:
    """As it was asked for, and as it is to be tried first where that is something else."""
    return [asked] if first is asked else [asked, first]


async def all_of(works: Iterable[Coroutine[None, None, None]]) -> None:
    """Do all of it at once; the first failure ends the others, and is raised as it is."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
