"""Holds the items of one run: admits each request, finishes items without a step to run, and keeps the results."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.base import events
from pipeline.base.errors import BadInput, Missing, ReelError, UsageError
from pipeline.engine.admission import Admission
from pipeline.engine.item import ItemResult, ItemTracker, Run
from pipeline.engine.library.chosen_subtitle import SubtitleChooser, content_of
from pipeline.engine.library.skip_existing import ExistingFilter
from pipeline.engine.media_list import Request, check_media, unreadable
from pipeline.engine.preview import StepPreview
from pipeline.engine.set_up import set_up
from pipeline.plan.model import FromPath, single_sources
from pipeline.plan.placement import fallback_notes, off_card_notes
from pipeline.plan.registry import READ
from pipeline.store.fetched_media import key_of
from pipeline.store.media_file import MediaFile
from pipeline.workers.installation import Installation

_NO_SUBTITLE = "it has no complete subtitle in the spoken language that reel did not make; the speech is recognised"
AT_ONCE = 500  # items recorded in one transaction, which waits for the disk once

ReadMedia = Callable[[Path], Awaitable[MediaFile]]
"""Returns a media file with the digest of its content. Raises `MediaChanged` and `OSError`."""


@dataclass(frozen=True)
class StartedItem:
    """Item with at least one step to run."""

    index: int
    tracker: ItemTracker
    previews: list[StepPreview]


@dataclass
class BatchItems:
    """Items of one run, and their results by the numbers of their requests.

    `unprepared` is the number of requests that are still to be admitted; None if more may arrive at any time.
    """

    run: Run
    installed: Installation
    admission: Admission
    fail_fast: bool
    chooser: SubtitleChooser
    existing: ExistingFilter | None = None
    results: dict[int, ItemResult] = field(default_factory=dict)
    expected: Sequence[Request] = ()  # every known request of the run, finished or not
    unprepared: int | None = None
    _ready: set[tuple[str, ...]] = field(default_factory=set)
    _notes: set[str] = field(default_factory=set)  # about cards, each reported once

    @property
    def over(self) -> bool:
        """Tell whether a failure has ended the run, so that no further item may begin."""
        return self.fail_fast and any(result.error for result in self.results.values())

    def expect(self, requests: Sequence[Request]) -> list[Request]:
        """Record the requests of the whole run. Return them, reduced to the outputs that each media file lacks."""
        reduced = self.expected = self.skip_existing(requests)
        self.unprepared = len(reduced) - len(self.results)
        return reduced

    async def admit(self, index: int, request: Request, read: ReadMedia) -> StartedItem | None:
        """Prepare the item of a request. Return it if it has a step to run; else record its result and return None.

        The coroutine suspends only in `read`. With a `read` that never suspends, it needs no event loop.
        """
        if index in self.results:  # skipped, because the media file has the requested subtitles
            return None
        if self.unprepared is not None:
            self.unprepared -= 1
        if self.over:
            self.skip(index, request)
            return None
        if self.unprepared is None:  # it has just arrived, so its existing subtitles are not known yet
            self.chooser.forget()
            [request] = self.skip_existing([request], index)
            if index in self.results:
                return None
        try:
            check_media(request.media)
            request = self.chooser.choose(request)
            self.admission.check_result(request)
            with open(request.media, "rb"):  # raises `OSError` if the file cannot be read
                pass
            media = await read(request.media)
        except BadInput as error:
            self.refuse(index, request, error)
        except OSError as error:
            self.refuse(index, request, unreadable(request.media, error))
        else:
            return self._start(index, request, media)
        return None

    def _start(self, index: int, request: Request, media: MediaFile) -> StartedItem | None:
        """Prepare the item for this content of the media file. Return None if it is finished, because every result is
        reused or the file cannot be worked on."""
        digest = media.digest
        try:
            if finished := self.admission.finished(request, digest, index):
                item, job = finished
                tracker = ItemTracker(item, self.run, media)
                tracker.recall(job.keys, job.published)
                self.results[index] = tracker.finish()
                return None
            item = self.admission.item(request, digest, index)
            previews = self.admission.preview(item)
            self._set_up(previews)
            self._keep_files(previews)
        except (BadInput, UsageError, Missing) as error:
            if isinstance(error, Missing) and not request.overrides:
                raise  # every file lacks it
            self.refuse(index, request, error)
            return None
        tracker = ItemTracker(item, self.run, media)
        if request.subtitle:
            self.run.emit(events.Notice(item.name, READ, request.subtitle.reason))
        elif self.chooser.is_asked(request):
            self.run.emit(events.Notice(item.name, None, _NO_SUBTITLE))
        reused = {preview.step.id: preview.result for preview in previews if preview.result}
        if len(reused) < len(previews):
            return StartedItem(index, tracker, previews)
        with self.run.records.store.one_write():
            for step in item.plan.steps:
                tracker.reused(step, reused[step.id])
            if tracker.publish():  # a damaged content has to be made again
                return StartedItem(index, tracker, previews)
            self.finish(index, tracker)
        return None

    def _keep_files(self, previews: Sequence[StepPreview]) -> None:
        """Copy the user's files that steps are about to read to the store. Raises `BadInput` for one that changed."""
        for preview in previews:
            for source in single_sources(preview.step.inputs) if preview.is_due else ():
                if isinstance(source, FromPath):
                    self.run.records.store.keep(content_of(source))

    def finish(self, index: int, tracker: ItemTracker) -> None:
        """Finish an item. Record its published files as up to date, unless a later run has to repeat a step."""
        self.results[index] = tracker.finish()
        is_final = not any(result.provisional for result in tracker.results.values())
        if tracker.published and not tracker.error and is_final:
            keys = {step: result.key for step, result in tracker.results.items()}
            self.admission.note(tracker.item, tracker.published, keys)

    def refuse(self, index: int, request: Request, error: ReelError) -> None:
        """Record that a media file cannot be worked on, because of this error."""
        name = self.admission.name(request.media)
        self.run.emit(events.ItemStarted(name, request.media, 0))
        self.run.emit(events.StepFailedEvent(name, "media", "", error.code, error.message, error.hint, None))
        self.run.emit(events.ItemFinished(name, "failed", 0.0, None))
        self.results[index] = ItemResult(name, request.media, "failed", error=error)

    def skip(self, index: int, request: Request) -> None:
        """Record that an item was not started, because another one failed."""
        name = self.admission.name(request.media)
        self.results[index] = ItemResult(name, request.media, "skipped")

    def abandon(self, started: StartedItem) -> None:
        """Record that an item was not finished, because another one failed."""
        item = started.tracker.item
        self.results[started.index] = ItemResult(item.name, item.media, "skipped")

    def expected_keys(self) -> set[str]:
        """Return the keys that this run may still reuse: the results of earlier runs for media files that are not
        finished yet, and those files themselves if they were fetched.

        The results of a file whose job was published do not count.
        """
        keys: set[str] = set()
        for index, request in enumerate(self.expected):
            if index not in self.results:
                if fetched := key_of(request.media, self.run.records.store.root):
                    keys.add(fetched)
                with contextlib.suppress(ReelError, OSError):
                    if not self.admission.was_published(request):
                        known = self.run.records.store.known_media(request.media)
                        keys |= self.run.records.history.keys_of(known.digest) if known else set()
        return keys

    def skip_existing(self, requests: Sequence[Request], begin: int = 0) -> list[Request]:
        """Skip the media files that have all requested subtitles.

        Returns the requests, reduced to the subtitles that each file lacks. The first has the number `begin`.
        """
        if self.existing is None:
            return list(requests)
        if len(requests) > AT_ONCE:
            self.run.emit(events.Notice(None, None, f"looking for existing subtitles of {len(requests)} files"))
        left: list[Request] = []
        for first in range(0, len(requests), AT_ONCE):
            group = requests[first : first + AT_ONCE]
            with self.run.records.store.one_write():  # keeps what was read, even if the run is interrupted
                self.existing.look_ahead(group)
                for index, request in enumerate(group, begin + first):
                    reduced, reason = self.existing.decide(request)
                    left.append(reduced)
                    if reason:
                        self._skip_complete(index, request, reason)
        return left

    def _skip_complete(self, index: int, request: Request, reason: str) -> None:
        """Record that a media file has all requested subtitles."""
        name = self.admission.name(request.media)
        self.run.emit(events.ItemStarted(name, request.media, 0))
        self.run.emit(events.ItemFinished(name, "skipped", 0.0, None, reason))
        self.results[index] = ItemResult(name, request.media, "skipped", reason=reason)

    def _set_up(self, previews: list[StepPreview]) -> None:
        """Set up what the steps need, once for all items with the same steps, backends and models, and again if a file
        of a model was deleted since."""
        steps = [preview.step for preview in previews if preview.is_due]
        models = sorted({name for step in steps for name in step.models.values()})
        same = (*(step.id for step in steps), *(preview.step.backend_name for preview in previews), *models)
        if steps and (same not in self._ready or self.installed.models.incomplete(models)):
            for note in (*off_card_notes(steps), *fallback_notes(steps, self.admission.key_context.fallbacks)):
                if note not in self._notes:
                    self._notes.add(note)
                    self.run.emit(events.Notice(None, None, note))
            set_up(steps, self.installed, self.run.emit, self.admission.unlocked)
            self._ready.add(same)
