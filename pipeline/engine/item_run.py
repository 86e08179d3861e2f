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
from pipeline.engine.item import ItemTracker
from pipeline.engine.language_models import transcript_language, with_model
from pipeline.engine.preview import StepPreview, gather
from pipeline.engine.step_run import Given, PreparedStep, StepCallbacks, StepRunner, prepare_step
from pipeline.plan.model import FromUser, Step, leaves
from pipeline.plan.oom_fallback import steps_to_try, stored_variants
from pipeline.plan.result_key import InputDigests, Surroundings
from pipeline.store.results import StoredResult
from pipeline.workers.installation import Installation

_REPAIRS = 2  # of one content: a disk that damages fresh data again and again will not stop doing so


@dataclass
class RunContext:
    """State that the items of a batch share: the workers, and the jobs in progress, so that none is done twice."""

    installed: Installation
    steps: StepRunner
    surroundings: Surroundings
    jobs: dict[str, asyncio.Task[StoredResult]] = field(default_factory=dict)


class ItemRunner:
    """Runs the steps of one item.

    A failed step keeps two kinds of steps from running: those that need its result, and those whose results no
    published file needs any more. An error about the media file itself ends the work on it.
    """

    def __init__(self, tracker: ItemTracker, context: RunContext) -> None:
        self._tracker, self._context = tracker, context
        self._repaired: Counter[str] = Counter()

    async def complete(self, previews: list[StepPreview]) -> None:
        """Run every step of the plan that has no result yet. The tracker holds the outcome of each."""
        reasons = {preview.step.id: preview.why for preview in previews}
        due = {preview.step.id for preview in previews if preview.verdict != "reused"}
        finished = {step.id: asyncio.Event() for step in self._tracker.plan.steps}
        open_yet = [step for step in self._tracker.plan.steps if step.id not in self._tracker.results]
        for step in self._tracker.plan.steps:
            if step not in open_yet:
                finished[step.id].set()
            if step.id in due:
                if not step.waits_for_language:
                    self._expect(step, 1)
                for leaf in leaves(step.inputs):
                    if isinstance(leaf, FromUser):
                        self._tracker.store.keep(leaf.content)
        await gather_or_cancel(
            self._await_inputs_then_process(step, reasons[step.id], finished, step.id in due) for step in open_yet
        )

    async def publish(self) -> None:
        """Publish the results. Contents found to be damaged at that point are made again."""
        tracker = self._tracker
        try:
            while damaged := await asyncio.to_thread(tracker.publish):
                await self._make_again(damaged)
                if not tracker.is_worth_publishing:
                    return
        except ReelError as error:
            tracker.not_published(error)

    async def _await_inputs_then_process(
        self, step: Step, reason: str, finished: dict[str, asyncio.Event], expected: bool
    ) -> None:
        """Wait for the inputs of the step, then process it."""
        for needed in step.needs:
            await finished[needed].wait()
        try:
            if self._tracker.may_begin(step):
                await self._process_step(step, reason)
            else:
                self._tracker.skipped(step)
        finally:
            if expected and not step.waits_for_language:
                self._expect(step, -1)
            finished[step.id].set()

    async def _process_step(self, step: Step, reason: str) -> None:
        tracker, surroundings = self._tracker, self._context.surroundings
        started = time.monotonic()
        if step.waits_for_language:
            try:
                step = await self._for_language(step)
            except ReelError as error:
                tracker.failed(step, error, time.monotonic() - started)
                return
        while True:
            # A required input may have been damaged and impossible to make again.
            if not tracker.may_begin(step):
                tracker.skipped(step)
                return
            digests: InputDigests = gather(step.inputs, tracker.item.digest, tracker.results)
            tries = steps_to_try(step, surroundings.fallbacks)
            works = [
                prepare_step(variant, digests, surroundings)
                for variant in stored_variants(step, surroundings.fallbacks)
            ]
            for work in works if step.id not in tracker.plan.again else ():
                if found := tracker.store.reusable(work.key):
                    tracker.reused(step, found)
                    return
            if not tracker.may_begin(step):  # another step failed in the meantime, for example during a download
                tracker.skipped(step)
                return
            if better := self._context.steps.dispatcher.measurements.better_variant(step):
                tries = [better, *tries]
            work = prepare_step(tries[0], digests, surroundings)
            try:
                if (at_work := self._context.jobs.get(work.key)) is not None:  # another item with the same content
                    tracker.reused(step, await asyncio.shield(at_work), fresh=True)
                    return
                if damaged := await self._damaged(digests):
                    await self._make_again(damaged)
                elif work.key not in self._context.jobs:
                    started = time.monotonic()
                    result = await self._begin(work, tries[1:], reason)
                    tracker.done(step, result, time.monotonic() - started)
                    return
            except MediaChanged as error:
                if at_work is None:
                    tracker.failed(step, error, time.monotonic() - started)
                    return
                # The file of the other item changed; the file of this item may be unchanged.
            except ReelError as error:
                tracker.failed(step, error, time.monotonic() - started)
                return

    async def _damaged(self, inputs: InputDigests) -> list[str]:
        """Return the contents among these that do not have their digest. They have been removed from the store."""
        flat = {
            digest for given in inputs.values() for digest in (given if isinstance(given, list) else [given]) if digest
        }
        unproven = sorted(flat - self._tracker.proven)
        return await asyncio.to_thread(self._tracker.find_damaged, unproven) if unproven else []

    async def _make_again(self, damaged: Collection[str]) -> None:
        """Repeat the steps that made these contents.

        Raises `ReelError` for a correction, which no step makes, and for a content that is damaged each time it is
        made.
        """
        tracker = self._tracker
        if rotten := next((key for key in damaged if self._repaired[key] == _REPAIRS), None):
            raise _repeated_damage(tracker.store.object_path(rotten))
        for edit in tracker.item.edits:
            if any(digest in damaged for digest in edit.digests):
                raise BadInput(
                    "edits.damaged",
                    f"the correction of {edit.name} is damaged, or its copy in reel's store was changed",
                    hint="correct the published file again, or `./reel edits drop` it",
                )
        for leaf in (leaf for step in tracker.plan.steps for leaf in leaves(step.inputs)):
            if isinstance(leaf, FromUser) and leaf.sha256 in damaged:
                tracker.store.keep(leaf.content)
        for step in tracker.plan.steps:
            made = tracker.results.get(step.id)
            if made and any(file.sha256 in damaged for file in made.files):
                text = "one of its results was damaged and has been removed; the step is done again"
                tracker.emit(events.Notice(tracker.item.name, step.id, text))
                await self._do_again(step, made)
        self._repaired.update(damaged)

    async def _do_again(self, step: Step, before: StoredResult) -> None:
        """Repeat a reused step. If its result changes, process every step that depends on it."""
        tracker, reason = self._tracker, "its result was damaged"
        await asyncio.to_thread(set_up, [StepPreview(step, "redone", reason)], self._context.installed, tracker.emit)
        await self._process_step(step, reason)
        after = tracker.results.get(step.id)
        changed = {step.id} if after and after.outputs != before.outputs else set()
        for later in tracker.plan.steps:
            if changed & later.needs and later.id in tracker.results:
                await self._process_step(later, f"{step.id} gave another result")
                changed.add(later.id)

    async def _for_language(self, step: Step) -> Step:
        """Return the step with the models for the language of the transcript, which may have to be downloaded. Raises
        `Missing`."""
        tracker, language = self._tracker, transcript_language(step.inputs, self._tracker.results)
        installed = self._context.installed
        return await asyncio.to_thread(
            with_model,
            step,
            language,
            installed.models,
            tracker.emit,
            tracker.item.name,
            offline=installed.settings.fetches_nothing,
        )

    async def _begin(self, work: PreparedStep, below: list[Step], reason: str) -> StoredResult:
        tracker, item, step, jobs = self._tracker, self._tracker.item, work.step, self._context.jobs
        callbacks = StepCallbacks(
            waiting=lambda what: tracker.emit(events.StepWaiting(item.name, step.id, what)),
            started=lambda worker: tracker.started(step, reason, worker),
            progress=lambda done: tracker.emit(events.StepProgress(item.name, step.id, done)),
            warning=lambda text: tracker.emit(events.Notice(item.name, step.id, text)),
            partial=lambda heard: tracker.emit(
                events.StepPartial(item.name, step.id, heard.start_ms, heard.end_ms, heard.text)
            ),
        )
        order = (-item.priority, -float(item.plan.depths[step.id]), float(item.index))
        given = Given(tracker.length_ms, tracker.media, tracker.edits.files(item.digest, item.edits))
        job = asyncio.create_task(self._context.steps.run(work, below, given, callbacks, order))
        jobs[work.key] = job
        job.add_done_callback(lambda _: jobs.pop(work.key))  # before the coroutines that wait for it look here again
        return await job

    def _expect(self, step: Step, jobs: int) -> None:
        models = {role: self._context.installed.models.snapshot(name) for role, name in step.models.items()}
        self._context.steps.dispatcher.expect(step, models, jobs)


def _repeated_damage(place: Path) -> ReelError:
    """Return the error for a content that is damaged as soon as it is made."""
    return ReelError(
        "results.content",
        f"the disk returns other bytes than reel wrote: {place} was made again, and is damaged again",
        hint="check the disk and the memory of this machine, or choose another disk with `--set results_dir=...`",
    )


async def gather_or_cancel(works: Iterable[Coroutine[None, None, None]]) -> None:
    """Run the coroutines concurrently. The first failure cancels the others, and is raised unchanged."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
