"""Many media, one recipe: what to work on, what to set up first, and on with the others when one fails."""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline import events
from pipeline.app import App
from pipeline.edits import CORRECT, with_edits
from pipeline.errors import BadInput, UsageError
from pipeline.item import Emit, Item, ItemRecord, ItemResult, Run
from pipeline.plan import Plan, single_step
from pipeline.preview import StepPreview, preview
from pipeline.publish import changed_files, job_folder
from pipeline.registry import stage_named
from pipeline.runs import Runs

# What a folder is searched for; a file that is named outright is taken whatever its name is.
_VIDEO = {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv"}
_VIDEO |= {".ts", ".webm", ".wmv"}
_AUDIO = {".aac", ".aiff", ".flac", ".m4a", ".mka", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".wma"}
MEDIA_SUFFIXES = _VIDEO | _AUDIO


@dataclass(frozen=True)
class BatchResult:
    """What became of each item, in the order they were given."""

    items: tuple[ItemResult, ...]

    @property
    def failed(self) -> tuple[ItemResult, ...]:
        """The items that were not finished."""
        return tuple(item for item in self.items if item.error)


def find_media(arguments: Sequence[str], media_root: Path) -> list[Path]:
    """The files that arguments name: files, folders (searched through), patterns. Raises `UsageError`."""
    found: list[Path] = []
    for argument in arguments:
        path = media_root / argument
        if path.is_dir():
            inside = [
                file for file in sorted(path.rglob("*")) if file.suffix.lower() in MEDIA_SUFFIXES and file.is_file()
            ]
            if not inside:
                raise UsageError("media.none", f"there is no media file in the folder {argument}")
            found += inside
        elif path.exists() or not glob.has_magic(argument):
            found.append(path)
        else:
            matches = [media_root / match for match in sorted(glob.glob(argument, root_dir=media_root, recursive=True))]
            if not matches:
                raise UsageError("media.none", f"no file matches {argument}")
            found += matches
    return list(dict.fromkeys(found))


def make_item(media: Path, app: App, taken: set[str]) -> Item:
    """The item for a media file; raises `BadInput` for what is no readable file."""
    if not media.exists():
        raise BadInput("media.missing", f"{media} is not there", hint="check the spelling; quote names with spaces")
    if not media.is_file():
        kind = "a folder" if media.is_dir() else "neither a file nor a folder"
        raise BadInput("media.not-a-file", f"{media} is {kind}, expected a media file")
    if media.stat().st_size == 0:
        raise BadInput("media.empty", f"{media} is empty, expected a media file")
    try:
        str(media).encode()
    except UnicodeEncodeError as error:
        text = f"the name of {str(media)!r} is not text in UTF-8"
        raise BadInput("media.name", text, hint="rename the file, or give a link to it") from error
    try:
        digest = app.store.media_digest(media)
    except OSError as error:
        raise BadInput("media.unreadable", f"{media} cannot be read: {error.strerror or error}") from error
    name = media.name if media.name not in taken else str(media)
    taken.add(name)
    return Item(name, media.resolve(), digest, app.edits.of(digest))


def plan_for(item: Item, plan: Plan, app: App) -> Plan:
    """The plan with the corrections that there are of an item."""
    if not item.edits:
        return plan
    return with_edits(
        plan, item.edits, lambda inputs: single_step(stage_named(CORRECT), app.choices(), inputs, backend=None)
    )


def take_edits(item: Item, app: App, emit: Emit) -> Item:
    """The item with what somebody has edited in its folder taken in. Raises `BadInput`."""
    changed = changed_files(job_folder(app.project.output, item.media, item.digest), item.edits, app.store)
    if not changed:
        return item
    edits = app.edits.take_in(item.digest, changed)
    names = ", ".join(one.path.name for one in changed)
    emit(events.Notice(item.name, None, f"taken in as corrections: {names}; `reel edits drop` undoes that"))
    return replace(item, edits=edits)


def preview_item(item: Item, plan: Plan, app: App, history: Runs) -> list[StepPreview]:
    """What a run would do for one item."""
    return preview(
        plan, item.digest, app.store, app.surroundings(), lambda step: history.last_ingredients(item.digest, step)
    )


def set_up(previews: Sequence[StepPreview], app: App, emit: Emit) -> None:
    """Have everything that the steps to be run need: tools, environments, models. Raises `Missing`.

    All of it before the first step, so that a run does not fail in its middle for a reason known at its start.
    """
    offline = app.settings.offline
    due = [preview.step for preview in previews if preview.verdict != "reused"]
    if any(step.backend.tools for step in due):
        app.tools.ensure(app.tool, emit, offline=offline)
    for family in dict.fromkeys(step.backend.environment for step in due):
        app.environments.ensure(family, emit, offline=offline)
    for name in dict.fromkeys(name for step in due for name in step.models.values()):
        app.models.fetch(name, emit, offline=offline)


def run_batch(media: Sequence[Path], plan: Plan, app: App, emit: Emit, *, continuing: bool = False) -> BatchResult:
    """Run the plan for each media; `continuing` from what somebody has corrected since. Holds the store; one item's
    failure does not stop the others."""
    with app.store.open_for_writing("reel run"):
        history = Runs(app.store, app.project.runs)
        run = Run(history.start(plan.recipe, plan.profile), plan, app, history, history.told(emit))
        run.emit(events.RunStarted(run.id, len(media)))
        state = "interrupted"
        try:
            with _Workers(app, history.folder(run.id)) as workers:
                taken: set[str] = set()
                results = tuple(_run_item(path, taken, run, workers, continuing=continuing) for path in media)
            state = "failed" if any(result.error for result in results) else "done"
        finally:
            history.finish(run.id, state)
            history.sweep_logs()
        return BatchResult(results)


def _run_item(path: Path, taken: set[str], run: Run, workers: _Workers, *, continuing: bool) -> ItemResult:
    try:
        item = make_item(path, run.app, taken)
        if continuing:
            item = take_edits(item, run.app, run.emit)
        run = replace(run, plan=plan_for(item, run.plan, run.app))
        previews = preview_item(item, run.plan, run.app, run.history)
        set_up(previews, run.app, run.emit)
    except BadInput as error:
        run.emit(events.StepFailedEvent(path.name, "media", "", error.code, error.message, error.hint, None))
        run.emit(events.ItemFinished(path.name, "failed", 0.0, None))
        return ItemResult(Item(path.name, path, ""), "failed", None, error, 0, 0.0)
    record = ItemRecord(item, run)
    reused = {preview.step.id: preview.result for preview in previews if preview.result}
    if len(reused) == len(run.plan.steps):
        with run.app.store.one_write():
            for step in run.plan.steps:
                record.reused(step, reused[step.id])
    else:
        workers.complete(record, previews)
    return record.finish()


class _Workers:
    """The executor and its event loop, made when the first step has to be run: a batch of which everything is reused
    pays for neither."""

    def __init__(self, app: App, logs: Path) -> None:
        self._app, self._logs = app, logs
        self._ends = contextlib.ExitStack()
        self._complete: Callable[[ItemRecord, list[StepPreview]], None] | None = None

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def complete(self, record: ItemRecord, previews: list[StepPreview]) -> None:
        """Run what is to be run of an item."""
        if self._complete is None:
            self._complete = self._start()
        self._complete(record, previews)

    def _start(self) -> Callable[[ItemRecord, list[StepPreview]], None]:
        import asyncio  # here, because these imports take a fifth of a start

        from pipeline.executors.local import LocalExecutor
        from pipeline.run import ItemRun

        app = self._app
        loop = self._ends.enter_context(asyncio.Runner())
        executor = LocalExecutor(app.project, app.environments, app.tools, app.tool, self._logs)
        self._ends.callback(lambda: loop.run(executor.close()))
        surroundings = app.surroundings()
        return lambda record, previews: loop.run(ItemRun(record, executor, surroundings).complete(previews))
