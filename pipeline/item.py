"""One media of a batch: its steps as they end, told to the user, kept in the history, and published."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline import events
from pipeline.app import App
from pipeline.edits import Edit
from pipeline.errors import BadInput, ReelError
from pipeline.plan import Plan, Step
from pipeline.publish import PublishedFiles, job_folder, publish
from pipeline.result_store import StoredFile, StoredResult
from pipeline.runs import Runs, StepRecord
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
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True)
class Run:
    """One execution of a plan, for however many media."""

    id: str
    plan: Plan
    app: App
    history: Runs
    emit: Emit


@dataclass(frozen=True)
class ItemResult:
    """What became of an item. `error` is the first that kept it from being finished."""

    item: Item
    state: str  # done, reused or failed
    published: PublishedFiles | None
    error: ReelError | None
    steps_run: int
    seconds: float


class ItemRecord:
    """Collects the results of an item's steps, in one run."""

    def __init__(self, item: Item, run: Run) -> None:
        self.item, self.plan, self.app, self.emit = item, run.plan, run.app, run.emit
        self.results: dict[str, StoredResult] = {}
        self.error: ReelError | None = None
        self._run = run
        self._steps_run = 0
        self._media_ms: int | None = None
        self._started = time.monotonic()
        self.emit(events.ItemStarted(item.name, item.media, len(self.plan.steps)))

    @property
    def length_ms(self) -> int:
        """How long the media is; before that is known, how long it may be at most."""
        if self._media_ms is not None:
            return self._media_ms
        return self.item.media.stat().st_size * 1000 // _LEAST_BYTES_PER_SECOND

    def started(self, step: Step, reason: str) -> None:
        """A worker begins with the step."""
        self.emit(events.StepStarted(self.item.name, step.id, step.backend_name, reason, self._media_ms))

    def reused(self, step: Step, result: StoredResult) -> None:
        """The step's result was in the store."""
        self.emit(events.StepReused(self.item.name, step.id, step.backend_name, result.key))
        self._accept(step, result, "reused", None)

    def done(self, step: Step, result: StoredResult, seconds: float) -> None:
        """The step was run, within `seconds` of a user's time."""
        self._steps_run += 1
        self._accept(step, result, "done", seconds)
        self.emit(
            events.StepDone(
                self.item.name, step.id, step.backend_name, result.key, seconds, self._media_ms, result.facts
            )
        )

    def failed(self, step: Step, error: ReelError, seconds: float) -> None:
        """The step did not deliver. The first error is the item's."""
        self.error = self.error or error
        self._record(step, None, "failed", seconds)
        self.emit(
            events.StepFailedEvent(
                self.item.name, step.id, step.backend_name, error.code, error.message, error.hint, error.log
            )
        )

    def skipped(self, step: Step) -> None:
        """The step was not begun, because another has failed."""
        self.emit(events.StepSkipped(self.item.name, step.id))

    def finish(self) -> ItemResult:
        """Publish what can be published and say how it went."""
        published = None if self.error else self._publish()
        state = "failed" if self.error else "done" if self._steps_run else "reused"
        seconds = time.monotonic() - self._started
        self.emit(events.ItemFinished(self.item.name, state, seconds, published.folder if published else None))
        return ItemResult(self.item, state, published, self.error, self._steps_run, seconds)

    def _accept(self, step: Step, result: StoredResult, state: str, seconds: float | None) -> None:
        self.results[step.id] = result
        self._record(step, result.key, state, seconds)
        probed = result.outputs.get("media")
        if isinstance(probed, StoredFile):
            try:
                self._media_ms = Media.read(self.app.store.path(probed)).decoded_ms
            except DocumentError:
                self._media_ms = None

    def _record(self, step: Step, key: str | None, state: str, seconds: float | None) -> None:
        record = StepRecord(self.item.name, step.id, step.backend_name, key, state, seconds)
        self._run.history.record(self._run.id, self.item.digest, record)

    def _publish(self) -> PublishedFiles | None:
        item, app = self.item, self.app
        folder = job_folder(app.project.output, item.media, item.digest)
        try:
            corrected = {edit: app.edits.path(item.digest, edit.sha256) for edit in item.edits}
            published = publish(
                self.plan, self.results, item.media, item.digest, folder, app.store, app.models.models, corrected
            )
        except OSError as error:
            self.error = unwritable = BadInput(
                "publish.unwritable",
                f"nothing can be written to {folder}: {error.strerror or error}",
                hint="choose another folder with `-o`; all results are kept, so that nothing has to be done again",
            )
            code, message, hint = unwritable.code, unwritable.message, unwritable.hint
            self.emit(events.StepFailedEvent(item.name, "publish", "", code, message, hint, None))
            return None
        for path in published.edited:
            text = f"{path.name} was edited since it was published, so it is kept; `--continue` takes in corrections of"
            text += " subtitles and transcripts, and when you delete it, the new one comes"
            self.emit(events.Notice(item.name, None, text))
        for path in published.files:
            self.emit(events.Published(item.name, path))
        return published
