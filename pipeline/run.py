"""One plan for one media: every step reused or run as soon as what it needs is there, then published."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline import events
from pipeline.app import App
from pipeline.errors import BadInput, ReelError
from pipeline.executors.local import LocalExecutor
from pipeline.plan import Plan, Step
from pipeline.preview import StepPreview, gather
from pipeline.publish import PublishedFiles, job_folder, publish
from pipeline.result_store import StoredFile, StoredResult
from pipeline.runs import Runs, StepRecord
from pipeline.step import Listening, keyed, run_step
from shared.document import DocumentError
from shared.media import Media

Emit = Callable[[events.Event], None]
_LEAST_BYTES_PER_SECOND = 2_000  # of media, for a time limit before its length is known


@dataclass(frozen=True)
class Item:
    """One media to work on: `name` is what the user reads, `digest` the content's."""

    name: str
    media: Path
    digest: str


@dataclass(frozen=True)
class ItemResult:
    """What became of an item. `error` is the first that kept it from being finished."""

    item: Item
    state: str  # done, reused or failed
    published: PublishedFiles | None
    error: ReelError | None
    steps_run: int
    seconds: float


class ItemRun:
    """The work on one item. A failed step keeps those behind it from running, and no others."""

    def __init__(
        self, item: Item, plan: Plan, app: App, executor: LocalExecutor, runs: Runs, run_id: str, emit: Emit
    ) -> None:
        self._item, self._plan, self._app, self._executor = item, plan, app, executor
        self._runs, self._run_id, self._emit = runs, run_id, emit
        self._surroundings = app.surroundings()
        self._results: dict[str, StoredResult] = {}
        self._error: ReelError | None = None
        self._steps_run = 0
        self._media_ms: int | None = None

    async def complete(self, previews: list[StepPreview]) -> ItemResult:
        """Do what `previews` says is to be done, and publish."""
        started = time.monotonic()
        self._emit(events.ItemStarted(self._item.name, self._item.media, len(self._plan.steps)))
        reasons = {preview.step.id: preview.reason for preview in previews}
        finished = {step.id: asyncio.Event() for step in self._plan.steps}
        async with asyncio.TaskGroup() as group:
            for step in self._plan.steps:
                group.create_task(self._attend(step, reasons[step.id], finished))
        published = None if self._error else self._publish()
        state = "failed" if self._error else "done" if self._steps_run else "reused"
        seconds = time.monotonic() - started
        self._emit(events.ItemFinished(self._item.name, state, seconds, published.folder if published else None))
        return ItemResult(self._item, state, published, self._error, self._steps_run, seconds)

    async def _attend(self, step: Step, reason: str, finished: dict[str, asyncio.Event]) -> None:
        """Wait for what the step needs, then see to it."""
        for needed in step.needs:
            await finished[needed].wait()
        try:
            if step.needs <= set(self._results):
                await self._see_to(step, reason)
            else:
                self._emit(events.StepSkipped(self._item.name, step.id))
        finally:
            finished[step.id].set()

    async def _see_to(self, step: Step, reason: str) -> None:
        work = keyed(step, gather(step.inputs, self._item.digest, self._results), self._surroundings)
        found = self._app.store.lookup(work.key)
        name = self._item.name
        if found:
            self._emit(events.StepReused(name, step.id, step.backend_name, work.key))
            self._accept(step, found, "reused")
            return
        if self._error:
            self._emit(events.StepSkipped(name, step.id))
            return
        self._emit(events.StepStarted(name, step.id, step.backend_name, reason, self._media_ms))
        listening = Listening(
            progress=lambda done: self._emit(events.StepProgress(name, step.id, done)),
            warning=lambda text: self._emit(events.Notice(name, step.id, text)),
        )
        started = time.monotonic()
        try:
            result = await run_step(
                work, {self._item.digest: self._item.media}, self._length_ms(), self._app, self._executor, listening
            )
        except ReelError as error:
            self._error = self._error or error
            self._record(step, None, "failed", time.monotonic() - started)
            self._emit(
                events.StepFailedEvent(
                    name, step.id, step.backend_name, error.code, error.message, error.hint, error.log
                )
            )
            return
        self._steps_run += 1
        seconds = time.monotonic() - started
        self._accept(step, result, "done", seconds)
        self._emit(events.StepDone(name, step.id, step.backend_name, work.key, seconds, self._media_ms, result.facts))

    def _accept(self, step: Step, result: StoredResult, state: str, seconds: float | None = None) -> None:
        self._results[step.id] = result
        self._record(step, result.key, state, seconds)
        if step.stage.name == "demux" and isinstance(probed := result.outputs["media"], StoredFile):
            try:
                self._media_ms = Media.read(self._app.store.path(probed)).duration_ms
            except DocumentError:
                self._media_ms = None

    def _record(self, step: Step, key: str | None, state: str, seconds: float | None) -> None:
        record = StepRecord(self._item.name, step.id, step.backend_name, key, state, seconds)
        self._runs.record(self._run_id, self._item.digest, record)

    def _length_ms(self) -> int:
        if self._media_ms is not None:
            return self._media_ms
        return self._item.media.stat().st_size * 1000 // _LEAST_BYTES_PER_SECOND

    def _publish(self) -> PublishedFiles | None:
        folder = job_folder(self._app.project.output, self._item.media, self._item.digest)
        try:
            published = publish(
                self._plan, self._results, self._item.media, self._item.digest, folder, self._app.store,
                self._app.models.models,
            )  # fmt: skip
        except OSError as error:
            self._error = BadInput(
                "publish.unwritable",
                f"nothing can be written to {folder}: {error.strerror or error}",
                hint="choose another folder with `-o`; all results are kept, so that nothing has to be done again",
            )
            return None
        for path in published.edited:
            text = f"{path.name} was edited since it was published, so it is kept; delete it to get the new one"
            self._emit(events.Notice(self._item.name, None, text))
        for path in published.files:
            self._emit(events.Published(self._item.name, path))
        return published
