"""Runs the plan of one item: reuses or runs each step as soon as its inputs are there.

Before a step runs, its inputs from the store are compared with their digests, once for each item, unless this run made
them. A damaged content is removed, and its step is repeated: see `ItemRunner._make_again`.
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
from pipeline.engine.item import ItemTracker
from pipeline.engine.language_models import transcript_language, with_model
from pipeline.engine.preview import StepPreview, gather
from pipeline.engine.set_up import set_up
from pipeline.engine.step_run import PreparedStep, StepCallbacks, StepRunner, UserFiles, prepare_step
from pipeline.plan.model import FromGlossary, Step, single_sources
from pipeline.plan.oom_fallback import steps_to_try, stored_variants
from pipeline.plan.result_key import InputDigests, KeyContext
from pipeline.store.results import StoredResult
from pipeline.workers.installation import Installation

_MOST_REPAIRS = 2  # of one content: a disk that damages fresh data twice is broken


@dataclass
class RunContext:
    """State that the items of a batch share: what runs the steps, and the running jobs by the keys of their results, so
    that no result is computed twice."""

    installed: Installation
    steps: StepRunner
    key_context: KeyContext
    jobs: dict[str, asyncio.Task[StoredResult]] = field(default_factory=dict)


class ItemRunner:
    """Runs the steps of one item.

    After a failed step, two kinds of steps are skipped: those that need its result, and those that no published file
    needs any more. An error about the media file itself ends the work on it.
    """

    def __init__(self, tracker: ItemTracker, context: RunContext) -> None:
        self._tracker, self._context = tracker, context
        self._repaired: Counter[str] = Counter()

    async def complete(self, previews: list[StepPreview]) -> None:
        """Run every step of the plan that has no result yet. The tracker holds the outcome of each."""
        steps, results = self._tracker.plan.steps, self._tracker.results
        reasons = {preview.step.id: preview.why for preview in previews}
        due = {preview.step.id for preview in previews if preview.is_due}
        finished = {step.id: asyncio.Event() for step in steps}
        for step in steps:
            if step.id in results:
                finished[step.id].set()
            if step.id in due:
                self._keep_user_files(step, None)
                if not step.waits_for_language:
                    self._expect(step, 1)
        await gather_or_cancel(
            self._await_inputs_then_process(step, reasons[step.id], finished, step.id in due)
            for step in steps
            if step.id not in results
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
        """Reuse the result of the step, or run it. The tracker holds the outcome."""
        started = time.monotonic()
        try:
            if step.waits_for_language:
                step = await self._for_language(step)
            while not await self._reuse_or_run(step, reason):
                pass
        except ReelError as error:
            self._tracker.failed(step, error, time.monotonic() - started)

    async def _reuse_or_run(self, step: Step, reason: str) -> bool:
        """Reuse the result of the step, or run it. Returns False if everything is to be looked up again: damaged inputs
        were made again, or a job of another item ended or began meanwhile. Raises `ReelError` before the step runs."""
        tracker = self._tracker
        if not tracker.may_begin(step):  # another step failed meanwhile, or an input was damaged beyond repair
            tracker.skipped(step)
            return True
        digests: InputDigests = gather(step.inputs, tracker.item.digest, tracker.results)
        if found := self._stored_result(step, digests):
            tracker.reused(step, found)
            return True
        first, *fallbacks = self._variants_to_try(step)
        work = prepare_step(first, digests, self._context.key_context)
        if running_job := self._context.jobs.get(work.key):
            return await self._await_other_item(step, running_job)
        if damaged := await self._damaged(digests):
            await self._make_again(damaged)
            return False
        if work.key in self._context.jobs:
            return False
        await self._run(step, work, fallbacks, reason)
        return True

    def _stored_result(self, step: Step, digests: InputDigests) -> StoredResult | None:
        """Return the best stored result of the step or of a variant that may stand for it."""
        tracker, key_context = self._tracker, self._context.key_context
        if step.id in tracker.plan.again:
            return None
        variants = stored_variants(step, key_context.fallbacks)
        keys = (prepare_step(variant, digests, key_context).key for variant in variants)
        return next(filter(None, map(tracker.store.reusable, keys)), None)

    def _variants_to_try(self, step: Step) -> list[Step]:
        """Return the variants of the step in the order in which they are tried."""
        variants = steps_to_try(step, self._context.key_context.fallbacks)
        better = self._context.steps.dispatcher.measurements.better_variant(step)
        return [better, *variants] if better else variants

    async def _await_other_item(self, step: Step, running_job: asyncio.Task[StoredResult]) -> bool:
        """Take the result of another item with the same content. Returns False if the media file of that item changed:
        the file of this item may be unchanged."""
        try:
            self._tracker.reused(step, await asyncio.shield(running_job), fresh=True)
        except MediaChanged:
            return False
        return True

    async def _damaged(self, inputs: InputDigests) -> list[str]:
        """Return the inputs whose contents do not have their digest. They are removed from the store."""
        lists = (value if isinstance(value, list) else [value] for value in inputs.values())
        digests = {digest for listed in lists for digest in listed if digest}
        unproven = sorted(digests - self._tracker.proven)
        return await asyncio.to_thread(self._tracker.find_damaged, unproven) if unproven else []

    async def _make_again(self, damaged: Collection[str]) -> None:
        """Repeat the steps that made these contents.

        Raises `ReelError` for a correction, which no step makes, and for a content that is damaged again whenever it is
        made.
        """
        tracker = self._tracker
        if hopeless := next((digest for digest in damaged if self._repaired[digest] == _MOST_REPAIRS), None):
            raise _repeated_damage(tracker.store.object_path(hopeless))
        for edit in tracker.item.edits:
            if any(digest in damaged for digest in edit.digests):
                raise BadInput(
                    "edits.damaged",
                    f"the correction of {edit.name} is damaged, or its copy in reel's store was changed",
                    hint="correct the published file again, or `./reel edits drop` it",
                )
        for step in tracker.plan.steps:
            self._keep_user_files(step, damaged)
        for step in tracker.plan.steps:
            result = tracker.results.get(step.id)
            if result and any(file.sha256 in damaged for file in result.files):
                text = "one of its results was damaged and has been removed; the step is done again"
                tracker.emit(events.Notice(tracker.item.name, step.id, text))
                await self._repeat(step, result)
        self._repaired.update(damaged)

    def _keep_user_files(self, step: Step, digests: Collection[str] | None) -> None:
        """Copy the files that the user gave with the job to the store, if the step reads them: those with these
        digests, or all for None."""
        for source in single_sources(step.inputs):
            if isinstance(source, FromGlossary) and (digests is None or source.sha256 in digests):
                self._tracker.store.keep(source.content)

    async def _repeat(self, step: Step, before: StoredResult) -> None:
        """Repeat a reused step. If its result changes, process every step that depends on it."""
        tracker, reason = self._tracker, "its result was damaged"
        await asyncio.to_thread(set_up, [step], self._context.installed, tracker.emit)
        await self._process_step(step, reason)
        after = tracker.results.get(step.id)
        changed = {step.id} if after and after.outputs != before.outputs else set()
        for later in tracker.plan.steps:
            if changed & later.needs and later.id in tracker.results:
                await self._process_step(later, f"{step.id} gave another result")
                changed.add(later.id)

    async def _for_language(self, step: Step) -> Step:
        """Return the step with the models for the language of the transcript, downloaded if they are missing. Raises
        `Missing`."""
        tracker, installed = self._tracker, self._context.installed
        language = transcript_language(step.inputs, tracker.results)
        offline = installed.settings.fetches_nothing
        return await asyncio.to_thread(
            with_model, step, language, installed.models, tracker.emit, tracker.item.name, offline=offline
        )

    async def _run(self, step: Step, work: PreparedStep, fallbacks: list[Step], reason: str) -> None:
        """Run the step, which begins as the variant `work`, and record the outcome with the seconds that it took."""
        started = time.monotonic()
        try:
            result = await self._start_job(work, fallbacks, reason)
        except ReelError as error:
            self._tracker.failed(step, error, time.monotonic() - started)
        else:
            self._tracker.done(step, result, time.monotonic() - started)

    async def _start_job(self, work: PreparedStep, fallbacks: list[Step], reason: str) -> StoredResult:
        tracker, item, step, jobs = self._tracker, self._tracker.item, work.step, self._context.jobs
        callbacks = StepCallbacks(
            waiting=lambda what: tracker.emit(events.StepWaiting(item.name, step.id, what)),
            started=lambda worker: tracker.started(step, reason, worker),
            progress=lambda done: tracker.emit(events.StepProgress(item.name, step.id, done)),
            warning=lambda text: tracker.emit(events.Notice(item.name, step.id, text)),
            partial=lambda partial: tracker.emit(
                events.StepPartial(item.name, step.id, partial.start_ms, partial.end_ms, partial.text)
            ),
        )
        order = (-item.priority, -float(item.plan.depths[step.id]), float(item.index))
        files = UserFiles(tracker.length_ms, tracker.media, tracker.edits.files(item.digest, item.edits))
        job = asyncio.create_task(self._context.steps.run(work, fallbacks, files, callbacks, order))
        jobs[work.key] = job
        job.add_done_callback(lambda _: jobs.pop(work.key))  # runs before the coroutines that wait for the job
        return await job

    def _expect(self, step: Step, jobs: int) -> None:
        """Tell the dispatcher that so many more jobs of this kind will come; fewer, if the number is negative."""
        models = {role: self._context.installed.models.snapshot(name) for role, name in step.models.items()}
        self._context.steps.dispatcher.expect(step, models, jobs)


def _repeated_damage(place: Path) -> ReelError:
    """Return the error for a content that is damaged as soon as it is made."""
    return ReelError(
        "results.content",
        f"the disk returns other bytes than reel wrote: {place} was made again, and is damaged again",
        hint="check the disk and the memory of this machine, or choose another disk with `--set results_dir=...`",
    )


async def gather_or_cancel(coroutines: Iterable[Coroutine[None, None, None]]) -> None:
    """Run the coroutines concurrently. The first failure cancels the others, and is raised unchanged."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
