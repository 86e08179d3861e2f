"""One media of a batch: its steps as they end, told to the user, kept in the history, and published."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.app import App
from pipeline.base import events
from pipeline.base.display_paths import as_text, shown
from pipeline.base.errors import MediaChanged, ReelError
from pipeline.base.events import Emit
from pipeline.plan.model import Plan, Step
from pipeline.plan.remaining import cause, still_of_use
from pipeline.publishing.edits import Edit, heard_in
from pipeline.publishing.film_records import take_over
from pipeline.publishing.folders import unwritable
from pipeline.publishing.publish import Made, PublishedFiles, Rules, publish
from pipeline.publishing.record import read_job
from pipeline.store.history import Runs, StepRecord
from pipeline.store.media_file import MediaFile
from pipeline.store.results import ObjectDamaged, StoredFile, StoredResult
from shared.documents.base import DocumentError
from shared.documents.media import Media
from shared.files import is_sound
from shared.language_model import NOTHING, Usage

_MAKESHIFT = "makeshift: this will do for now, and the next run does the step again"
_LEAST_BYTES_PER_SECOND = 2_000  # of media, for a time limit before its length is known


@dataclass(frozen=True)
class Item:
    """One media to work on: `name` is what the user reads, `digest` the content's, `folder` where it is published.
    `index` is its place among all; a higher `priority` goes before. `plan_digest` stands for all that decides what is
    published but the media; `rules` are None where everything of it is published already."""

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
    """One execution, for however many media."""

    id: str
    app: App
    history: Runs
    emit: Emit


@dataclass(frozen=True)
class ItemResult:
    """What became of an item. `error` is the first that kept it from being finished."""

    name: str
    media: Path
    state: str  # done, reused, failed or skipped
    published: PublishedFiles | None
    error: ReelError | None
    steps_run: int
    seconds: float
    asked: Usage = NOTHING  # of services, by the steps that were run
    cost: float | None = None  # of that, where the user has given prices
    checked: tuple[events.Checked, ...] = ()
    reason: str = ""  # why it was skipped
    missing: Mapping[str, str] = field(default_factory=dict)  # `step.role` of what was not made, with the error's code


class ItemRecord:
    """Collects the results of an item's steps, in one run."""

    def __init__(self, item: Item, run: Run, media: MediaFile) -> None:
        self.item, self.plan, self.app, self.emit, self.media = item, item.plan, run.app, run.emit, media
        self.proven = {media.digest}  # contents that were made in this run, or compared with their digest
        self.results: dict[str, StoredResult] = {}
        self.error: ReelError | None = None
        self._errors: dict[str, ReelError] = {}  # by step
        self._run = run
        self._steps_run = 0
        self._asked = NOTHING
        self._cost: float | None = None
        self._published: PublishedFiles | None = None
        self._publishing_error: ReelError | None = None
        self._media_ms: int | None = None
        self._started = time.monotonic()
        plan = tuple(step.id for step in self.plan.steps)
        self.emit(events.ItemStarted(item.name, item.media, len(plan), plan))

    def may_begin(self, step: Step) -> bool:
        """Tell whether a step is to be done, after all that has failed."""
        if not self._errors:
            return True
        return self._concerns_all is None and step.id in still_of_use(self.plan, self._errors.keys())

    @property
    def is_worth_publishing(self) -> bool:
        """Tell whether there is something to publish: everything, or what does not depend on the steps that failed.
        Nothing is made of a media file that was not the same from the first step to the last."""
        if not self.error:
            return True
        published = {publication.step for publication in self.plan.publications}
        return self._concerns_all is None and bool(published & self.results.keys())

    @property
    def _concerns_all(self) -> MediaChanged | None:
        return next((error for error in self._errors.values() if isinstance(error, MediaChanged)), None)

    @property
    def missing(self) -> dict[str, str]:
        """Return what the plan publishes and could not be made, as `step.role`, with the code of the error."""
        found: dict[str, str] = {}
        for publication in self.plan.publications if self.error else ():
            if publication.step not in self.results:
                failed = cause(self.plan, publication.step, self._errors.keys())
                error = self._errors[failed] if failed else self.error
                found[publication.origin] = error.code if error else ""
        return found

    @property
    def length_ms(self) -> int:
        """How long the media is; before that is known, how long it may be at most."""
        if self._media_ms is not None:
            return self._media_ms
        return self.media.identity.size * 1000 // _LEAST_BYTES_PER_SECOND

    def started(self, step: Step, reason: str, worker: str) -> None:
        """A worker begins with the step."""
        self.emit(events.StepStarted(self.item.name, step.id, step.backend_name, reason, self._media_ms, worker))

    def reused(self, step: Step, result: StoredResult, *, fresh: bool = False) -> None:
        """The step's result was in the store; `fresh` where it was made in this run, for another item."""
        if fresh:
            self._prove(result)
        self.emit(events.StepReused(self.item.name, step.id, step.backend_name, result.key))
        self._record(step, result.key, "reused", None)
        self._accept(step, result)

    def done(self, step: Step, result: StoredResult, seconds: float) -> None:
        """The step was run, within `seconds` of a user's time; its result is written, and noted here."""
        self._steps_run += 1
        self._prove(result)
        self._asked += Usage.noted(result.facts)
        if isinstance(cost := result.facts.get("cost"), float):
            self._cost = (self._cost or 0.0) + cost
        with self.app.store.one_write(wait=False):
            self.app.store.note(result)
            self._record(step, result.key, "done", seconds)
        self._accept(step, result)
        if result.makeshift:
            self.emit(events.Notice(self.item.name, step.id, _MAKESHIFT))
        self.emit(
            events.StepDone(
                self.item.name, step.id, step.backend_name, result.key, seconds, self._media_ms, result.facts
            )
        )

    def failed(self, step: Step, error: ReelError, seconds: float) -> None:
        """The step did not deliver. The first error is the item's."""
        self.error = self.error or error
        self._errors[step.id] = error
        self.results.pop(step.id, None)  # it was reused, is damaged, and could not be made again
        self._record(step, None, "failed", seconds)
        self.emit(
            events.StepFailedEvent(
                self.item.name, step.id, step.backend_name, error.code, error.message, error.hint, error.log
            )
        )

    def skipped(self, step: Step) -> None:
        """The step was not begun, because another has failed."""
        self.emit(events.StepSkipped(self.item.name, step.id))

    def recall(self, keys: Mapping[str, str], published: PublishedFiles) -> None:
        """Everything was done and published before, and nothing of it was touched since."""
        for step in self.plan.steps:
            self.emit(events.StepReused(self.item.name, step.id, step.backend_name, keys[step.id]))
        name = self.item.name
        steps = (
            StepRecord(name, step.id, step.backend_name, keys[step.id], "reused", None) for step in self.plan.steps
        )
        self._run.history.record_all(self._run.id, self.item.digest, steps)
        self._published = published

    @property
    def published(self) -> PublishedFiles | None:
        """What lies in the item's folder now."""
        return self._published

    def find_damaged(self, digests: Iterable[str]) -> list[str]:
        """Read contents that steps are to be given, and return those that are damaged. Touches the disk only, so that
        a thread can do it."""
        corrections = self.app.edits.files(self.item.digest, self.item.edits)
        damaged = []
        for digest in digests:
            if (
                is_sound(corrections[digest], digest)
                if digest in corrections
                else self.app.store.contents.prove(digest)
            ):
                self.proven.add(digest)
            else:
                damaged.append(digest)
        return damaged

    def publish(self) -> list[str]:
        """Bring the files to where the user looks for them. Returns contents that are damaged or lost, and have to be
        made again before all is published. Touches the disk only, so that a thread can do it."""
        item, app = self.item, self.app
        assert item.rules, "an item that is published already is not published again"
        made = Made(item.media, item.digest, self.plan, self.results, item.plan_digest, self.missing)
        try:
            self.media.prove()
            if missing := [place.name for place in self._to_publish() if not place.exists()]:
                return missing
            corrected = {edit: app.edits.path(item.digest, edit.sha256) for edit in item.edits}
            if item.rules.beside:
                take_over(item.media, item.digest)
            self._published = publish(made, item.folder, corrected, item.rules)
        except MediaChanged as error:
            self.not_published(error)
        except ObjectDamaged as error:
            app.store.contents.prove(error.file.sha256)  # which removes it
            return [error.file.sha256]
        except OSError as error:
            self.not_published(unwritable(item.folder, error))
        return []

    def _to_publish(self) -> Iterator[Path]:
        """Where the contents lie that the plan publishes."""
        for one in self.plan.publications:
            digests = self.results[one.step].digests(one.role) if one.step in self.results else None
            for digest in [digests] if isinstance(digests, str) else digests or ():
                yield self.app.store.object_path(digest)

    def not_published(self, error: ReelError) -> None:
        """All results are there, and this kept them from being published."""
        self.error = self._publishing_error = error

    def finish(self) -> ItemResult:
        """Say how it went."""
        published, error, name = self._published, self.error, self.item.name
        checked = checks_in(published.folder, name) if published else ()
        if published:
            for text in told_of(published, self.item.rules):
                self.emit(events.Notice(name, None, text))
            for edit in self.item.edits:
                made = self.results.get(edit.step)
                if made and not edit.applies(self.results):
                    self.emit(events.Notice(name, None, _waits(edit, heard_in(made))))
            for check in checked:
                self.emit(check)
            for path in published.files:
                self.emit(events.Published(name, path))
            if self.missing:
                steps = ", ".join(sorted({origin.rpartition(".")[0] for origin in self.missing}))
                text = f"published without what {steps} would have given; the same command makes only that"
                self.emit(events.Notice(name, None, text))
        elif error and error is self._publishing_error:
            self.emit(events.StepFailedEvent(name, "publish", "", error.code, error.message, error.hint, None))
        state = "failed" if error else "done" if self._steps_run else "reused"
        seconds = time.monotonic() - self._started
        self.emit(events.ItemFinished(name, state, seconds, published.folder if published else None))
        steps_run, asked, cost = self._steps_run, self._asked, self._cost
        return ItemResult(
            name, self.item.media, state, published, error, steps_run, seconds, asked, cost, checked,
            missing=self.missing,
        )  # fmt: skip

    def _prove(self, result: StoredResult) -> None:
        self.proven.update(file.sha256 for file in result.files)

    def _accept(self, step: Step, result: StoredResult) -> None:
        self.results[step.id] = result
        probed = result.outputs.get("media")
        if isinstance(probed, StoredFile):
            try:
                sound = probed.sha256 in self.proven or self.app.store.contents.prove(probed.sha256)
                self._media_ms = Media.read(self.app.store.path(probed)).decoded_ms if sound else None
            except DocumentError:
                self._media_ms = None

    def _record(self, step: Step, key: str | None, state: str, seconds: float | None) -> None:
        record = StepRecord(self.item.name, step.id, step.backend_name, key, state, seconds)
        self._run.history.record(self._run.id, self.item.digest, record)


def _waits(edit: Edit, language: str | None) -> str:
    return (
        f"{edit.name} was corrected in {edit.language}, and this run is in {language}: the correction is left aside,"
        f" and applies again when the language is {edit.language}"
    )


def told_of(published: PublishedFiles, rules: Rules | None) -> list[str]:
    """List what a person should know of the files that are in the folder now."""
    texts = [
        f"{path.name} was edited since it was published, so it is kept; `--continue` takes in corrections of subtitles"
        " and transcripts, and when you delete it, the new one comes"
        for path in published.edited
    ]
    if published.renamed:
        media = [path for path in published.theirs if rules and path in rules.batch]
        text = f"left as they are, for reel did not write them: {_names(published.theirs)}; made beside them:"
        text += f" {_names(published.renamed)}"
        if len(media) < len(published.theirs):
            text += "; `--replace` writes over what is no media file of this run"
        texts.append(text)
    if rules and rules.foreign_record:
        texts.append(
            f"{shown(rules.foreign_record)} is not a record of reel's, or is damaged, so it is left as it is, and"
            f" {shown(published.folder)} is used; `--replace` writes over it"
        )
    if published.shortened:
        texts.append(f"names too long for the disk were cut: {_names(published.shortened)}")
    return texts


def _names(paths: tuple[Path, ...]) -> str:
    return ", ".join(as_text(path.name) for path in paths)


def checks_in(folder: Path, item: str) -> tuple[events.Checked, ...]:
    """What was found in the subtitles that a job has published, whether they were made now or before."""
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
