"""Runs many media files in one call. Each is prepared in turn and worked on beside the others; a failure stops no other
file."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pipeline.base import events
from pipeline.base.errors import BadInput, MediaChanged, Missing, ReelError, UsageError
from pipeline.base.events import Emit
from pipeline.engine.admission import Admission, check_media, set_up, unreadable
from pipeline.engine.item import ItemResult, ItemTracker, Run
from pipeline.engine.library.passing import PassOver, open_pass_over
from pipeline.engine.media_list import Request
from pipeline.engine.preview import StepPreview
from pipeline.engine.project import Project
from pipeline.engine.watch import Watch
from pipeline.plan.placement import off_card_notes
from pipeline.publishing.batch_media import BatchMedia
from pipeline.store.media_file import MediaFile
from pipeline.store.store_lock import Waiting
from pipeline.store.worker_stats import Measurements
from pipeline.workers.installation import Installation

_AT_ONCE = 500  # items noted in one transaction, with one wait for the disk


@dataclass(frozen=True)
class BatchResult:
    """Result of each item, in the order of the requests."""

    items: tuple[ItemResult, ...]

    @property
    def failed(self) -> tuple[ItemResult, ...]:
        """Return the items that an error kept from being finished."""
        return tuple(item for item in self.items if item.error)


@dataclass(frozen=True)
class Begun:
    """Item with at least one step to run."""

    index: int
    tracker: ItemTracker
    previews: list[StepPreview]


@dataclass
class Batch:
    """Items of one run, from request to result. The run is `over` once no further item may begin."""

    run: Run
    installed: Installation
    admission: Admission
    fail_fast: bool
    passing: PassOver | None = None
    results: dict[int, ItemResult] = field(default_factory=dict)
    to_come: Sequence[Request] = ()  # every request that the run knows of, in any state
    _ready: set[tuple[str, ...]] = field(default_factory=set)
    _notes: set[str] = field(default_factory=set)  # about cards, each told once

    @property
    def over(self) -> bool:
        """Tell whether a failure ends the run."""
        return self.fail_fast and any(result.error for result in self.results.values())

    def begin(self, index: int, request: Request, media: MediaFile) -> Begun | None:
        """Prepare an item for this content. Return None if it is finished already: every result is reused, or it cannot
        be worked on."""
        digest = media.digest
        try:
            if before := self.admission.finished(request, digest, index):
                tracker = ItemTracker(before[0], self.run, media)
                tracker.recall(before[1].keys, before[1].published)
                self.results[index] = tracker.finish()
                return None
            item = self.admission.item(request, digest, index)
            previews = self.admission.preview(item)
            self._set_up(previews)
        except (BadInput, UsageError, Missing) as error:
            if isinstance(error, Missing) and not request.overrides:
                raise  # it concerns every file
            self.refuse(index, request, error)
            return None
        tracker = ItemTracker(item, self.run, media)
        reused = {preview.step.id: preview.result for preview in previews if preview.result}
        if len(reused) < len(previews):
            return Begun(index, tracker, previews)
        with self.run.records.store.one_write():
            for step in item.plan.steps:
                tracker.reused(step, reused[step.id])
            if tracker.publish():  # a damaged content in the store has to be made again
                return Begun(index, tracker, previews)
            self.finish(index, tracker)
        return None

    def finish(self, index: int, tracker: ItemTracker) -> None:
        """Finish an item and record what was published, unless one of its steps has to be done again."""
        self.results[index] = tracker.finish()
        if tracker.published and not tracker.error and not any(result.makeshift for result in tracker.results.values()):
            keys = {step: result.key for step, result in tracker.results.items()}
            self.admission.note(tracker.item, tracker.published, keys)

    def refuse(self, index: int, request: Request, error: ReelError) -> None:
        """Record that a media file cannot be worked on."""
        name = self.admission.name(request.media)
        self.run.emit(events.ItemStarted(name, request.media, 0))
        self.run.emit(events.StepFailedEvent(name, "media", "", error.code, error.message, error.hint, None))
        self.run.emit(events.ItemFinished(name, "failed", 0.0, None))
        self.results[index] = ItemResult(name, request.media, "failed", None, error, 0, 0.0)

    def skip(self, index: int, request: Request) -> None:
        """Record that a media file was not begun, or not finished, because another one failed."""
        name = self.admission.name(request.media)
        self.results[index] = ItemResult(name, request.media, "skipped", None, None, 0, 0.0)

    def keys_to_come(self) -> set[str]:
        """Return the keys of results that earlier runs made of media files which this run has not finished yet.

        A file whose job was published does not count.
        """
        keys: set[str] = set()
        for index, request in enumerate(self.to_come):
            if index not in self.results:
                with contextlib.suppress(ReelError, OSError):
                    if not self.admission.was_published(request.media, self.admission.plan_for(request)):
                        known = self.run.records.store.known_media(request.media)
                        keys |= self.run.records.history.keys_of(known.digest) if known else set()
        return keys

    def pass_over(self, requests: Sequence[Request], begin: int = 0) -> list[Request]:
        """Skip the media files that have all requested subtitles.

        Returns the requests, reduced to what each file lacks. The first of them has the number `begin`.
        """
        if self.passing is None:
            return list(requests)
        if len(requests) > _AT_ONCE:
            self.run.emit(events.Notice(None, None, f"looking for existing subtitles of {len(requests)} files"))
        left: list[Request] = []
        for first in range(0, len(requests), _AT_ONCE):
            some = requests[first : first + _AT_ONCE]
            with self.run.records.store.one_write():  # keeps what was read, even if the run is interrupted
                self.passing.look_ahead(some)
                for index, request in enumerate(some, begin + first):
                    lacking, reason = self.passing.decide(request)
                    left.append(lacking)
                    if reason:
                        self.leave_alone(index, request, reason)
        return left

    def leave_alone(self, index: int, request: Request, reason: str) -> None:
        """Record that a media file needs no work."""
        name = self.admission.name(request.media)
        self.run.emit(events.ItemStarted(name, request.media, 0))
        self.run.emit(events.ItemFinished(name, "skipped", 0.0, None, reason))
        self.results[index] = ItemResult(name, request.media, "skipped", None, None, 0, 0.0, reason=reason)

    def is_file(self, index: int, request: Request) -> bool:
        """Tell whether a media file can be read; if not, record that as its result."""
        try:
            check_media(request.media)
            with open(request.media, "rb"):
                return True
        except BadInput as error:
            self.refuse(index, request, error)
        except OSError as error:
            self.unreadable(index, request, error)
        return False

    def known(self, index: int, request: Request) -> MediaFile | None:
        """Return the media file with its digest, reading it if need be. Return None if that fails."""
        try:
            return self.run.records.store.media(request.media)
        except MediaChanged as error:
            self.refuse(index, request, error)
        except OSError as error:
            self.unreadable(index, request, error)
        return None

    def unreadable(self, index: int, request: Request, error: OSError) -> None:
        """Record that a media file cannot be read."""
        self.refuse(index, request, unreadable(request.media, error))

    def _set_up(self, previews: list[StepPreview]) -> None:
        """Set up what the steps need, once for all items with the same steps and backends."""
        due = tuple(preview.step.id for preview in previews if preview.verdict != "reused")
        plans = tuple(preview.step.backend_name for preview in previews)
        if due and (*due, *plans) not in self._ready:
            for note in off_card_notes(preview.step for preview in previews if preview.step.id in due):
                if note not in self._notes:
                    self._notes.add(note)
                    self.run.emit(events.Notice(None, None, note))
            set_up(previews, self.installed, self.run.emit, self.admission.unlocked)
            self._ready.add((*due, *plans))


def run_batch(
    requests: Iterable[Request] | AsyncIterable[Request],
    project: Project,
    emit: Emit,
    *,
    fail_fast: bool = False,
    continuing: bool = False,
    stop: Callable[[], None] | None = None,
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
        known = list(requests) if isinstance(requests, Iterable) else None
        history = records.history
        heard = history.told(emit)
        awaits = requests.awaits if isinstance(requests, Watch) else lambda path: False
        media = BatchMedia((request.media for request in known or ()), awaits)
        admission = Admission(
            project.planner, records, project.surroundings(), project.folders.output, media,
            heard if continuing else None, running=heard,
        )  # fmt: skip
        admission.check(known or ())  # a refused command is not recorded as a run
        run = Run(history.start(settings.recipe, project.planner.profile.name), records, heard)
        run.emit(events.RunStarted(run.id, None if known is None else len(known)))
        state = "interrupted"
        try:
            passing = open_pass_over(installed, records.store.index, admission, run.emit)
            batch = Batch(run, installed, admission, fail_fast, passing)
            _complete(batch, known if known is not None else requests, stop)  # type: ignore[arg-type]
            state = "failed" if any(result.error for result in batch.results.values()) else "done"
        finally:
            history.finish(run.id, state)
            history.sweep_logs()
        return BatchResult(tuple(batch.results[index] for index in sorted(batch.results)))


def _complete(batch: Batch, requests: list[Request] | AsyncIterable[Request], stop: Callable[[], None] | None) -> None:
    """Work on all requests.

    The first files are handled here for as long as all their results are reused, or they cannot be worked on: a batch
    without work starts neither an event loop nor a worker.
    """
    first: Begun | None = None
    number = 0
    if isinstance(requests, list):
        requests = batch.to_come = batch.pass_over(requests)
        while number < len(requests) and first is None and not batch.over:
            first, number = _leading(batch, requests, number)
        if first is None:
            for index in range(number, len(requests)):
                if index not in batch.results:
                    batch.skip(index, requests[index])
            return
    # Imported here: importing asyncio takes a fifth of the start-up time.
    from pipeline.engine.concurrency import BatchRunner, enumerate_requests

    left = None
    if isinstance(requests, list):
        left = sum(index not in batch.results for index in range(number, len(requests)))
    BatchRunner(batch, Measurements(batch.installed.folders.results), left, stop).work(
        first, enumerate_requests(requests, number)
    )


def _leading(batch: Batch, requests: list[Request], begin: int) -> tuple[Begun | None, int]:
    """Return the first item with a step to run, and the number of the next request.

    Everything noted for the items before it is written in one transaction, so that the disk is waited for once.
    """
    end = min(begin + _AT_ONCE, len(requests))
    with batch.run.records.store.one_write():
        for number in range(begin, end):
            request = requests[number]
            if number in batch.results:
                continue
            if batch.is_file(number, request):
                media = batch.known(number, request)
                if media and (begun := batch.begin(number, request, media)):
                    return begun, number + 1
            if batch.over:
                return None, number + 1
    return None, end
