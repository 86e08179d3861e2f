"""Tracks one item of a batch: collects the results of its steps, reports them, records them, and publishes them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.base import events
from pipeline.base.display_paths import as_text, shown
from pipeline.base.errors import MediaChanged, ReelError
from pipeline.base.events import Emit
from pipeline.engine.project import Records
from pipeline.plan.model import Plan, Step
from pipeline.plan.remaining import cause, still_useful
from pipeline.publishing.edits import Edit, language_of
from pipeline.publishing.film_records import take_over
from pipeline.publishing.folders import unwritable
from pipeline.publishing.publish import FinishedJob, PublishedFiles, Rules, publish
from pipeline.publishing.record import is_regular, read_job
from pipeline.store.history import StepRecord
from pipeline.store.media_file import MediaFile
from pipeline.store.results import ObjectDamaged, StoredFile, StoredResult
from shared.documents.base import DocumentError
from shared.documents.media import Media
from shared.files import is_intact
from shared.language_model import NO_USAGE, Usage

_PROVISIONAL = "provisional: usable for now; the next run does the step again"
_PARTIAL = "nothing is published; the results of these steps are kept, and a run that needs them goes on from here"
_LEAST_BYTES_PER_SECOND = 2_000  # of the smallest media file, for a time limit before the length is known


@dataclass(frozen=True)
class Item:
    """Media file to work on, with its plan.

    `name` is shown to the user, `digest` is that of the content, and results are published in `folder`. `index` is its
    place among all items; a higher `priority` runs first. `plan_digest` identifies everything but the media file that
    decides what is published. `rules` is None if all files are published already.
    """

    name: str
    media: Path
    digest: str
    plan: Plan
    folder: Path
    index: int = 0
    priority: float = 0.0
    edits: tuple[Edit, ...] = ()
    plan_digest: str = ""
    rules: Rules | None = None


@dataclass(frozen=True)
class Run:
    """One execution of a recipe for any number of media files."""

    id: str
    records: Records
    emit: Emit


@dataclass(frozen=True)
class ItemResult:
    """Result of an item. `error` is the first error that prevented it from being finished."""

    name: str
    media: Path
    state: str  # done, reused, failed or skipped
    published: PublishedFiles | None = None
    error: ReelError | None = None
    steps_run: int = 0
    seconds: float = 0.0
    usage: Usage = NO_USAGE  # usage of services by the steps that ran
    cost: float | None = None  # of that usage, if the user has given prices
    checked: tuple[events.Checked, ...] = ()
    reason: str = ""  # why it was skipped
    missing: Mapping[str, str] = field(default_factory=dict)  # `step.role` of a missing output: the error's code


class ItemTracker:
    """Tracks one item in a run: collects the results of its steps, emits events, and publishes."""

    def __init__(self, item: Item, run: Run, media: MediaFile) -> None:
        self.item, self.plan, self.emit, self.media = item, item.plan, run.emit, media
        self.store, self.edits = run.records.store, run.records.edits
        self.proven = {media.digest}  # digests of contents that this run has made, or compared with their digest
        self.results: dict[str, StoredResult] = {}
        self.error: ReelError | None = None
        self._errors: dict[str, ReelError] = {}  # by step
        self._skipped: list[str] = []
        self._run = run
        self._steps_run = 0
        self._usage = NO_USAGE
        self._cost: float | None = None
        self._published: PublishedFiles | None = None
        self._publishing_error: ReelError | None = None
        self._media_ms: int | None = None
        self._started = time.monotonic()
        plan = tuple(step.id for step in self.plan.steps)
        self.emit(events.ItemStarted(item.name, item.media, len(plan), plan))

    def may_begin(self, step: Step) -> bool:
        """Tell whether a step can and should still run after the failures so far."""
        if not self._errors:
            return True
        return self._media_change is None and step.id in still_useful(self.plan, self._errors.keys())

    @property
    def is_worth_publishing(self) -> bool:
        """Tell whether the item has outputs to publish: all of them, or those that do not depend on failed steps.

        Nothing is published for a media file that changed between the first step and the last, nor of a partial plan.
        """
        if self.plan.partial:
            return False
        if not self.error:
            return True
        published = {publication.step for publication in self.plan.publications}
        return self._media_change is None and bool(published & self.results.keys())

    @property
    def _media_change(self) -> MediaChanged | None:
        return next((error for error in self._errors.values() if isinstance(error, MediaChanged)), None)

    @property
    def missing(self) -> dict[str, str]:
        """Return the outputs of the plan that could not be made, as `step.role`, each with the code of the error."""
        found: dict[str, str] = {}
        for publication in self.plan.publications if self.error else ():
            if publication.step not in self.results:
                failed = cause(self.plan, publication.step, self._errors.keys())
                error = self._errors[failed] if failed else self.error
                found[publication.origin] = error.code if error else ""
        return found

    @property
    def length_ms(self) -> int:
        """Return the length of the media file; before it is known, the greatest length that its size allows."""
        if self._media_ms is not None:
            return self._media_ms
        return self.media.identity.size * 1000 // _LEAST_BYTES_PER_SECOND

    def started(self, step: Step, reason: str, worker: str) -> None:
        """Report that a worker begins with the step."""
        self.emit(events.StepStarted(self.item.name, step.id, step.backend_name, reason, self._media_ms, worker))

    def reused(self, step: Step, result: StoredResult, *, fresh: bool = False) -> None:
        """Record that the step's result was reused. `fresh` tells that this run made it, for another item."""
        if fresh:
            self._prove(result)
        self.emit(events.StepReused(self.item.name, step.id, step.backend_name, result.key))
        self._record(step, result.key, "reused", None)
        self._accept(step, result)

    def done(self, step: Step, result: StoredResult, seconds: float) -> None:
        """Record that the step ran for `seconds` of wall time. Its result has been written, and is noted in the index
        here."""
        self._steps_run += 1
        self._prove(result)
        self._usage += Usage.from_facts(result.facts)
        if isinstance(cost := result.facts.get("cost"), float):
            self._cost = (self._cost or 0.0) + cost
        with self.store.one_write(wait=False):
            self.store.note(result)
            self._record(step, result.key, "done", seconds)
        self._accept(step, result)
        if result.provisional:
            self.emit(events.Notice(self.item.name, step.id, _PROVISIONAL))
        self.emit(
            events.StepDone(
                self.item.name, step.id, step.backend_name, result.key, seconds, self._media_ms, result.facts
            )
        )

    def failed(self, step: Step, error: ReelError, seconds: float) -> None:
        """Record that the step failed. The first error becomes the item's."""
        self.error = self.error or error
        self._errors[step.id] = error
        self.results.pop(step.id, None)  # a reused result that is damaged and could not be made again
        self._record(step, None, "failed", seconds)
        details = error.code, error.message, error.hint, error.log, error.log_lines
        self.emit(events.StepFailedEvent(self.item.name, step.id, step.backend_name, *details))

    def skipped(self, step: Step) -> None:
        """Report that the step will not run, because another step failed."""
        self._skipped.append(step.id)
        self.emit(events.StepSkipped(self.item.name, step.id))

    def recall(self, keys: Mapping[str, str], published: PublishedFiles) -> None:
        """Record that every step was done and published by an earlier run, and that no published file changed since."""
        for step in self.plan.steps:
            self.emit(events.StepReused(self.item.name, step.id, step.backend_name, keys[step.id]))
        name = self.item.name
        steps = (
            StepRecord(name, step.id, step.backend_name, keys[step.id], "reused", None) for step in self.plan.steps
        )
        self._run.records.history.record_all(self._run.id, self.item.digest, steps)
        self._published = published

    @property
    def published(self) -> PublishedFiles | None:
        """Return the files in the item's folder."""
        return self._published

    def find_damaged(self, digests: Iterable[str]) -> list[str]:
        """Read the contents with these digests, which steps are about to use, and return the damaged ones. Safe to call
        in a thread, because it only uses the disk."""
        corrections = self.edits.files(self.item.digest, self.item.edits)
        damaged = []
        for digest in digests:
            if is_intact(corrections[digest], digest) if digest in corrections else self.store.contents.verify(digest):
                self.proven.add(digest)
            else:
                damaged.append(digest)
        return damaged

    def publish(self) -> list[str]:
        """Publish the files of the item.

        Returns the digests of damaged or lost contents, which have to be made again first. Safe to call in a thread,
        because it only uses the disk.
        """
        item, store = self.item, self.store
        if self.plan.partial:
            return []
        assert item.rules, "an item that is published already is not published again"
        finished = FinishedJob(
            item.media, item.digest, self.plan, self.results, item.plan_digest, self.missing, item.edits
        )
        try:
            self.media.verify()
            if missing := [place.name for place in self._to_publish() if not place.exists()]:
                return missing
            if item.rules.beside:
                take_over(item.media, item.digest)
            self._published = publish(finished, item.folder, item.rules)
        except MediaChanged as error:
            self.not_published(error)
        except ObjectDamaged as error:
            store.contents.verify(error.file.sha256)  # removes it
            return [error.file.sha256]
        except OSError as error:
            if isinstance(error, FileNotFoundError) and (lost := self._lost(error)):
                return [lost]
            self.not_published(unwritable(item.folder, error))
        return []

    def _lost(self, error: FileNotFoundError) -> str | None:
        """Return the digest of the stored content that is not there, because another item has just found it damaged and
        removed it; None if the missing file is not a stored content."""
        path = Path(str(error.filename))
        return path.name if path == self.store.object_path(path.name) else None

    def _to_publish(self) -> Iterator[Path]:
        """Yield the paths of the contents that the plan publishes."""
        for publication in self.plan.publications:
            digests = (
                self.results[publication.step].digests(publication.role) if publication.step in self.results else None
            )
            for digest in [digests] if isinstance(digests, str) else digests or ():
                yield self.store.object_path(digest)

    def not_published(self, error: ReelError) -> None:
        """Record the error that prevented the results from being published."""
        self.error = self._publishing_error = error

    def finish(self) -> ItemResult:
        """Report the outcome of the item, and return its result."""
        published, error, name = self._published, self.error, self.item.name
        checked = checks_in(published.folder, name) if published else ()
        if self._skipped:
            self.emit(events.StepsSkipped(name, tuple(self._skipped)))
        if published:
            for text in publishing_notes(published, self.item.rules):
                self.emit(events.Notice(name, None, text))
            for edit in self.item.edits:
                result = self.results.get(edit.step)
                if result and not edit.applies(self.results):
                    self.emit(events.Notice(name, None, _unused_correction(edit, language_of(result))))
            for check in checked:
                self.emit(check)
            for path in published.files:
                self.emit(events.Published(name, path))
            if self.missing:
                steps = ", ".join(sorted({origin.rpartition(".")[0] for origin in self.missing}))
                text = f"published without the results of {steps}; run the same command again to make only these"
                self.emit(events.Notice(name, None, text))
        elif self.plan.partial and not error:
            self.emit(events.Notice(name, None, _PARTIAL))
        elif error and error is self._publishing_error:
            self.emit(events.StepFailedEvent(name, "publish", "", error.code, error.message, error.hint, None))
        state = "failed" if error else "done" if self._steps_run else "reused"
        seconds = time.monotonic() - self._started
        self.emit(events.ItemFinished(name, state, seconds, published.folder if published else None))
        return ItemResult(
            name, self.item.media, state, published, error, self._steps_run, seconds, self._usage, self._cost, checked,
            missing=self.missing,
        )  # fmt: skip

    def _prove(self, result: StoredResult) -> None:
        self.proven.update(file.sha256 for file in result.files)

    def _accept(self, step: Step, result: StoredResult) -> None:
        self.results[step.id] = result
        probed = result.outputs.get("media")
        if isinstance(probed, StoredFile):
            try:
                sound = probed.sha256 in self.proven or self.store.contents.verify(probed.sha256)
                self._media_ms = Media.read(self.store.path(probed)).decoded_ms if sound else None
            except DocumentError:
                self._media_ms = None

    def _record(self, step: Step, key: str | None, state: str, seconds: float | None) -> None:
        record = StepRecord(self.item.name, step.id, step.backend_name, key, state, seconds)
        self._run.records.history.record(self._run.id, self.item.digest, record)


def _unused_correction(edit: Edit, language: str | None) -> str:
    return (
        f"{edit.name} was corrected in {edit.language}, but this run is in {language}: the correction is not used now,"
        f" and applies again to a run in {edit.language}"
    )


def publishing_notes(published: PublishedFiles, rules: Rules | None) -> list[str]:
    """Return the notes for the user about published files: those that were kept, renamed, shortened or removed."""
    texts = [
        f"{path.name} was edited since it was published, so it is kept; `--continue` takes corrections of subtitles"
        " and transcripts in; delete the file to get the new one"
        for path in published.edited
    ]
    if published.renamed:
        replaceable = tuple(
            path for path in published.theirs if is_regular(path) and not (rules and path in rules.batch)
        )
        text = f"kept, because reel did not write them: {_names(published.theirs)}; written beside them:"
        text += f" {_names(published.renamed)}"
        if replaceable and not (rules and rules.replace):
            text += f"; `--replace` overwrites {_names(replaceable)}"
        texts.append(text)
    if rules and rules.foreign_record:
        texts.append(
            f"{shown(rules.foreign_record)} is not a record of reel's, or is damaged, so it is kept, and"
            f" {shown(published.folder)} is used; to go back, move that file away and delete {shown(published.folder)}"
        )
    if published.shortened:
        texts.append(f"these names were too long for the disk and were cut: {_names(published.shortened)}")
    if published.removed:
        texts.append(
            f"{shown(published.folder)} holds the files of the last job alone, so {_names(published.removed)} of the"
            " job before went; its command makes them again from the store, and `-o` keeps two jobs apart"
        )
    return texts


def _names(paths: tuple[Path, ...]) -> str:
    return ", ".join(as_text(path.name) for path in paths)


def checks_in(folder: Path, item: str) -> tuple[events.Checked, ...]:
    """Return the findings of the checks of a job's published subtitles, made by this run or an earlier one."""
    job = read_job(folder)
    shown = {origin.rpartition(".")[0] for origin in job.origins.values()} if job else {}
    found = []
    for step, record in job.steps.items() if job else ():
        facts = record.get("facts")
        if step in shown and isinstance(facts, dict) and "over_limits" in facts:
            counts = {name: value for name, value in facts.items() if isinstance(value, int)}
            over = counts.pop("over_limits")
            rules = {
                name.removeprefix("over_").replace("_", "-"): count
                for name, count in counts.items()
                if name.startswith("over_")
            }
            found.append(events.Checked(item, step, str(facts["language"]), counts["cues"], over, rules))
    return tuple(found)
