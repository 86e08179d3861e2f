"""Runs the plan of one item: each step is reused or run as soon as its inputs are there.

A step's inputs from the store are compared with their digests first, once for each item, unless this run made them. A
damaged content is removed, and its step is done again: see `ItemRunner._make_again`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Coroutine, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.base import events
from pipeline.base.errors import BadInput, MediaChanged, ReelError
from pipeline.engine.admission import set_up
from pipeline.engine.item import ItemRecord
from pipeline.engine.language_models import language_heard, with_model
from pipeline.engine.preview import StepPreview, gather
from pipeline.engine.step_run import Given, PreparedStep, StepCallbacks, prepare_step, run_step
from pipeline.plan.model import FromUser, Step, leaves
from pipeline.plan.oom_fallback import steps_to_try
from pipeline.plan.result_key import InputDigests, Surroundings
from pipeline.store.results import StoredResult
from pipeline.workers.dispatcher import Dispatcher

_REPAIRS = 2  # of one content: a disk that damages fresh data again and again will not stop doing so


@dataclass
class Shared:
    """State that the items of a batch share: the workers, and the jobs in progress, so that none is done twice."""

    dispatcher: Dispatcher
    surroundings: Surroundings
    jobs: dict[str, asyncio.Task[StoredResult]] = field(default_factory=dict)


class ItemRunner:
    """Work on one item.

    A failed step keeps two kinds of steps from running: those that need its result, and those whose results no
    published file needs any more. An error about the media file itself ends the work on it.
    """

    def __init__(self, record: ItemRecord, shared: Shared) -> None:
        self._record, self._shared = record, shared
        self._repaired: Counter[str] = Counter()

    async def complete(self, previews: list[StepPreview]) -> None:
        """Run every step of the plan that has no result yet. The record holds the outcome of each."""
        reasons = {preview.step.id: preview.why for preview in previews}
        due = {preview.step.id for preview in previews if preview.verdict != "reused"}
        finished = {step.id: asyncio.Event() for step in self._record.plan.steps}
        open_yet = [step for step in self._record.plan.steps if step.id not in self._record.results]
        for step in self._record.plan.steps:
            if step not in open_yet:
                finished[step.id].set()
            if step.id in due:
                if not step.waits_for_language:
                    self._expect(step, 1)
                for leaf in leaves(step.inputs):
                    if isinstance(leaf, FromUser):
                        self._record.app.store.keep(leaf.content)
        await gather_or_cancel(
            self._await_inputs_then_process(step, reasons[step.id], finished, step.id in due) for step in open_yet
        )

    async def publish(self) -> None:
        """Publish the results. Contents found to be damaged at that point are made again."""
        record = self._record
        try:
            while damaged := await asyncio.to_thread(record.publish):
                await self._make_again(damaged)
                if not record.is_worth_publishing:
                    return
        except ReelError as error:
            record.not_published(error)

    async def _await_inputs_then_process(
        self, step: Step, reason: str, finished: dict[str, asyncio.Event], expected: bool
    ) -> None:
        """Wait for the inputs of the step, then process it."""
        for needed in step.needs:
            await finished[needed].wait()
        try:
            if self._record.may_begin(step):
                await self._process_step(step, reason)
            else:
                self._record.skipped(step)
        finally:
            if expected and not step.waits_for_language:
                self._expect(step, -1)
            finished[step.id].set()

    async def _process_step(self, step: Step, reason: str) -> None:
        record, surroundings = self._record, self._shared.surroundings
        started = time.monotonic()
        if step.waits_for_language:
            try:
                step = await self._for_language(step)
            except ReelError as error:
                record.failed(step, error, time.monotonic() - started)
                return
        while True:
            if not record.may_begin(
                step
            ):  # an input that it cannot do without was damaged, and could not be made again
                record.skipped(step)
                return
            digests: InputDigests = gather(step.inputs, record.item.digest, record.results)
            tries = steps_to_try(step, surroundings.fallbacks)
            works = [prepare_step(one, digests, surroundings) for one in _candidates(step, tries[0])]
            for work in works:
                if found := record.app.store.reusable(work.key):
                    record.reused(step, found)
                    return
            if not record.may_begin(step):  # another step failed in the meantime, for example during a download
                record.skipped(step)
                return
            work = works[-1]
            try:
                if (at_work := self._shared.jobs.get(work.key)) is not None:  # another item with the same content
                    record.reused(step, await asyncio.shield(at_work), fresh=True)
                    return
                if damaged := await self._damaged(digests):
                    await self._make_again(damaged)
                elif work.key not in self._shared.jobs:
                    started = time.monotonic()
                    result = await self._begin(work, tries[1:], reason)
                    record.done(step, result, time.monotonic() - started)
                    return
            except MediaChanged as error:
                if at_work is None:
                    record.failed(step, error, time.monotonic() - started)
                    return
                # The file of the other item changed; the file of this item may be unchanged.
            except ReelError as error:
                record.failed(step, error, time.monotonic() - started)
                return

    async def _damaged(self, inputs: InputDigests) -> list[str]:
        """Return the contents among these that do not have their digest. They have been removed from the store."""
        flat = {one for given in inputs.values() for one in (given if isinstance(given, list) else [given]) if one}
        unproven = sorted(flat - self._record.proven)
        return await asyncio.to_thread(self._record.find_damaged, unproven) if unproven else []

    async def _make_again(self, damaged: Collection[str]) -> None:
        """Repeat the steps that made these contents.

        Raises `ReelError` for a correction, which no step makes, and for a content that is damaged each time it is
        made.
        """
        record = self._record
        if rotten := next((one for one in damaged if self._repaired[one] == _REPAIRS), None):
            raise _repeated_damage(record.app.store.object_path(rotten))
        for edit in record.item.edits:
            if edit.sha256 in damaged or edit.base in damaged:
                raise BadInput(
                    "edits.damaged",
                    f"the correction of {edit.name} is damaged, or its copy in reel's store was changed",
                    hint="correct the published file again, or `./reel edits drop` it",
                )
        for leaf in (leaf for step in record.plan.steps for leaf in leaves(step.inputs)):
            if isinstance(leaf, FromUser) and leaf.sha256 in damaged:
                record.app.store.keep(leaf.content)
        for step in record.plan.steps:
            made = record.results.get(step.id)
            if made and any(file.sha256 in damaged for file in made.files):
                text = "one of its results was damaged and has been removed; the step is done again"
                record.emit(events.Notice(record.item.name, step.id, text))
                await self._do_again(step, made)
        self._repaired.update(damaged)

    async def _do_again(self, step: Step, before: StoredResult) -> None:
        """Repeat a reused step. If its result changes, process every step that depends on it."""
        record, reason = self._record, "its result was damaged"
        await asyncio.to_thread(set_up, [StepPreview(step, "redone", reason)], record.app, record.emit)
        await self._process_step(step, reason)
        after = record.results.get(step.id)
        changed = {step.id} if after and after.outputs != before.outputs else set()
        for later in record.plan.steps:
            if changed & later.needs and later.id in record.results:
                await self._process_step(later, f"{step.id} gave another result")
                changed.add(later.id)

    async def _for_language(self, step: Step) -> Step:
        """Return the step with the models for the language of the transcript, which may have to be downloaded. Raises
        `Missing`."""
        record, language = self._record, language_heard(step.inputs, self._record.results)
        offline = record.app.settings.offline
        return await asyncio.to_thread(
            with_model, step, language, record.app.models, record.emit, record.item.name, offline=offline
        )

    async def _begin(self, work: PreparedStep, below: list[Step], reason: str) -> StoredResult:
        record, item, step, jobs = self._record, self._record.item, work.step, self._shared.jobs
        listening = StepCallbacks(
            waiting=lambda what: record.emit(events.StepWaiting(item.name, step.id, what)),
            started=lambda worker: record.started(step, reason, worker),
            progress=lambda done: record.emit(events.StepProgress(item.name, step.id, done)),
            warning=lambda text: record.emit(events.Notice(item.name, step.id, text)),
        )
        order = (-item.priority, -float(item.plan.depths[step.id]), float(item.index))
        given = Given(record.length_ms, record.media, record.app.edits.files(item.digest, item.edits))
        job = asyncio.create_task(run_step(work, below, given, record.app, self._shared.dispatcher, listening, order))
        jobs[work.key] = job
        job.add_done_callback(lambda _: jobs.pop(work.key))  # before the coroutines that wait for it look here again
        return await job

    def _expect(self, step: Step, jobs: int) -> None:
        models = {role: self._record.app.models.snapshot(name) for role, name in step.models.items()}
        self._shared.dispatcher.expect(step, models, jobs)


def _repeated_damage(place: Path) -> ReelError:
    """Return the error for a content that is damaged as soon as it is made."""
    return ReelError(
        "results.content",
        f"the disk returns other bytes than reel wrote: {place} was made again, and is damaged again",
        hint="check the disk and the memory of this machine, or choose another disk with `--set results_dir=...`",
    )


def _candidates(asked: Step, first: Step) -> list[Step]:
    """Return the requested step, and before running it, the variant to try first if that differs."""
    return [asked] if first is asked else [asked, first]


async def gather_or_cancel(works: Iterable[Coroutine[None, None, None]]) -> None:
    """Run the coroutines concurrently. The first failure cancels the others, and is raised unchanged."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
