"""Runs one step: computes its key, asks a worker for the result, checks the outputs and stores them."""

from __future__ import annotations

import asyncio
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.base.display_paths import as_text
from pipeline.base.errors import (
    CardFailed,
    MediaChanged,
    OutOfMemory,
    OutputsInvalid,
    ReelError,
    StageRefused,
    StepFailed,
    WorkerCrashed,
    WorkerKilled,
    WorkerLost,
)
from pipeline.model_cache.cache import ModelCache
from pipeline.plan.model import Step, takes_several
from pipeline.plan.oom_fallback import changes_bytes, fallback_steps, on_processor
from pipeline.plan.result_key import InputDigests, Surroundings, ingredients, result_key
from pipeline.store.media_file import MediaFile
from pipeline.store.results import ResultStore, StoredFile, StoredResult, as_input
from pipeline.workers.dispatcher import Dispatcher, StepJob
from pipeline.workers.scheduler import Order
from shared import protocol

_ATTEMPTS = 2  # a step whose worker crashed or was killed is tried again in a new process: the file is rarely the cause
_MACHINES = 3  # machines that may be lost while they run the step: more than that is not an accident
_READINGS = 3  # of a media file that is touched meanwhile and keeps its content

_OVER_LIMIT = "worker.memory"  # the worker passed its own limit, whatever other workers hold


@dataclass(frozen=True)
class StepCallbacks:
    """Callbacks of a step. `waiting` receives the reason for a wait, `warning` a text for the user."""

    waiting: Callable[[str], None]
    started: Callable[[str], None]  # with the worker's name
    progress: Callable[[float], None]  # with the share that is done
    warning: Callable[[str], None]
    partial: Callable[[protocol.Partial], None] = lambda said: None


@dataclass(frozen=True)
class Given:
    """Files that the user gave for a step: the media file with its length, and other files by their digests."""

    media_ms: int
    media: MediaFile | None = None
    others: Mapping[str, Path] = field(default_factory=dict)

    @property
    def paths(self) -> Mapping[str, Path]:
        """Return all files by digest."""
        return {**self.others, self.media.digest: self.media.path} if self.media else self.others

    def read_by(self, inputs: InputDigests) -> MediaFile | None:
        """Return the media file if a step with these inputs reads it."""
        digest = self.media.digest if self.media else ""
        taken = any(digest == given or (isinstance(given, list) and digest in given) for given in inputs.values())
        return self.media if taken else None


@dataclass(frozen=True)
class PreparedStep:
    """Step whose inputs are known, with the key of its result. A `variant` is not what the run looked up before."""

    step: Step
    inputs: InputDigests
    surroundings: Surroundings
    parts: Mapping[str, object]
    key: str
    variant: bool = False


def prepare_step(step: Step, inputs: InputDigests, surroundings: Surroundings) -> PreparedStep:
    """Return the step with its key."""
    parts = ingredients(step, inputs, surroundings)
    return PreparedStep(step, inputs, surroundings, parts, result_key(parts))


def _variant(work: PreparedStep, step: Step) -> PreparedStep:
    """Return the work as another variant of its step."""
    return replace(prepare_step(step, work.inputs, work.surroundings), variant=True)


def _on_processor(work: PreparedStep, reason: str) -> PreparedStep:
    return _variant(work, on_processor(work.step, reason))


@dataclass(frozen=True)
class _Output:
    """Report of a worker that has run a step, with the warnings and the folder of the output files."""

    done: protocol.Done
    warnings: tuple[str, ...]
    folder: Path


@dataclass(frozen=True)
class StepRunner:
    """Runs steps with the workers of one dispatcher, and writes their results to one store."""

    store: ResultStore
    models: ModelCache
    dispatcher: Dispatcher

    async def run(
        self, work: PreparedStep, below: Sequence[Step], given: Given, callbacks: StepCallbacks, order: Order = ()
    ) -> StoredResult:
        """Run the step and write its result, which the caller then notes in the index.

        If memory runs out, repeat the step with nothing else loaded, then as the steps `below`, the fallbacks of its
        backend; if the card fails, repeat it on the processor. Raises `MediaChanged`, `StepFailed` and `StageRefused`.
        Even then the store holds no partial result, and no result of another content than its key says.
        """
        lower, alone, fell, crowded = iter(below), False, False, False
        while True:
            if reason := self.dispatcher.cards.given_up(work.step):
                work = _on_processor(work, reason)
                lower, alone, fell = iter(fallback_steps(work.step)), False, False
            if work.variant and (found := self.store.reusable(work.key)):
                return found
            try:
                result = await self._read_and_run(work, given, callbacks, order)
            except OutOfMemory as error:
                if error.code != _OVER_LIMIT and not alone and await self.dispatcher.make_room(error):
                    text = f"out of memory, so the step runs again with other models unloaded: {error.message}"
                    callbacks.warning(text)
                    alone = True
                    continue
                step = next(lower, None)
                if step is None or step.fallback is None:
                    raise
                crowded = crowded or await self.dispatcher.is_crowded(error)
                callbacks.warning(f"out of memory, so the step runs again with {step.fallback.name}: {error.message}")
                work, alone, fell = _variant(work, step), False, True
            except (CardFailed, WorkerCrashed) as error:
                if work.step.device != "cuda" or error.code == "worker.protocol":
                    raise
                if sentence := self.dispatcher.cards.record(work.step, error):
                    callbacks.warning(sentence)
                work = _on_processor(work, error.message)
                lower, alone, fell = iter(fallback_steps(work.step)), False, False
            else:
                if not crowded:
                    self.dispatcher.measurements.record_fit(work.step, fell=fell)
                return result

    async def _read_and_run(
        self, work: PreparedStep, given: Given, callbacks: StepCallbacks, order: Order
    ) -> StoredResult:
        """Run the step until the media file was not touched during the reading.

        A touch may hide another content that was there for a moment, even if the content is the same afterwards.
        """
        media = given.read_by(work.inputs)
        for _ in range(_READINGS):
            changes = media.changes if media else 0
            try:
                output = await self._run(work, given, callbacks, order)
            except (StageRefused, StepFailed):
                if media:  # if the file changed during the step, that is the cause, not the error that the step reports
                    await asyncio.to_thread(media.prove)
                raise
            result = await asyncio.to_thread(_store_if_same, media, changes, work, output, self.store)
            if result:
                return result
            callbacks.warning("the media file was touched while it was read, so the step runs again")
        assert media
        raise MediaChanged(
            "media.changed",
            f"{as_text(media.path)} was touched during each of {_READINGS} readings",
            hint="run the same command again when no program changes the file any more",
        )

    async def _run(self, work: PreparedStep, given: Given, callbacks: StepCallbacks, order: Order) -> _Output:
        """Have a worker run the step, again in another process or on another machine if that is lost."""
        step = work.step
        warnings: list[str] = []

        def on_event(event: protocol.Remark) -> None:
            if isinstance(event, protocol.Progress):
                callbacks.progress(event.done)
            elif isinstance(event, protocol.Partial):
                callbacks.partial(event)
            else:
                warnings.append(event.text)
                callbacks.warning(event.text)

        limit_s = step.backend.resources.time_base_s + step.backend.resources.time_per_media_s * given.media_ms / 1000
        models = {role: self.models.snapshot(name) for role, name in step.models.items()}
        inputs = as_input(work.inputs, self.store, given.paths)
        attempt = lost = 0
        while True:
            attempt += 1
            warnings.clear()
            folder = self.store.make_staging(f"{work.key[:16]}-{step.id.replace(':', '-')}")
            try:
                job = StepJob(
                    step, inputs, folder, limit_s, models, order, callbacks.waiting, callbacks.started, on_event
                )
                return _Output(await self.dispatcher.run(job), tuple(warnings), folder)
            except (WorkerCrashed, WorkerKilled) as error:
                if attempt == _ATTEMPTS or error.code == "worker.protocol":
                    raise
            except WorkerLost as error:
                attempt, lost = attempt - 1, lost + 1
                if lost == _MACHINES:
                    raise
                callbacks.warning(f"{error.message}, so the step runs again on another")
            except ReelError:
                _clear(folder)  # now, not at the end of the run: it may hold half a film
                raise


def _store_if_same(
    media: MediaFile | None, changes: int, work: PreparedStep, output: _Output, store: ResultStore
) -> StoredResult | None:
    """Store and return the result if the media file is still as it was before the step, else return None. Raises
    `MediaChanged`."""
    try:
        if media and media.prove() != changes:
            return None
        return _store_result(work, output, store)
    finally:
        _clear(output.folder)


def _store_result(work: PreparedStep, output: _Output, store: ResultStore) -> StoredResult:
    """Store the files of the result and write its manifest. Waits for the disk, so a thread does it."""
    step, done = work.step, output.done
    outputs = _store_outputs(step, output, store)
    facts = dict(done.facts)
    if step.fallback and changes_bytes(step):
        facts["rung"] = step.fallback.name  # the name that `job.json` and older results have for it
    result = StoredResult.model_validate(
        {
            "key": work.key,
            "ingredients": dict(work.parts),
            "outputs": outputs,
            "facts": facts,
            "warnings": output.warnings,
            "seconds": round(done.seconds, 3),
            "cpu_s": round(done.cpu_s, 3),
            "memory_mb": done.memory_mb,
        }
    )
    store.write_manifest(result)
    return result


def _store_outputs(
    step: Step, output: _Output, store: ResultStore
) -> dict[str, StoredFile | tuple[StoredFile, ...] | None]:
    """Move the outputs into the store. Raises `OutputsInvalid` if they are not those that the stage declared."""
    stored: dict[str, StoredFile | tuple[StoredFile, ...] | None] = {}
    for role, paths in checked_outputs(step, output.done, output.folder).items():
        if isinstance(paths, tuple):
            stored[role] = tuple(store.take_in(path) for path in paths)
        else:
            stored[role] = None if paths is None else store.take_in(paths)
    return stored


def checked_outputs(step: Step, done: protocol.Done, folder: Path) -> dict[str, Path | tuple[Path, ...] | None]:
    """Return the output files of a step by role. Raises `OutputsInvalid` if they are not those that the stage declared,
    or not files below `folder`."""
    declared, returned = step.stage.outputs.model_fields, done.outputs
    if set(returned) != set(declared):
        raise _invalid_output(step, f"it returned {sorted(returned)}, expected {sorted(declared)}")
    found: dict[str, Path | tuple[Path, ...] | None] = {}
    for role, names in returned.items():
        if names is None:
            if declared[role].is_required():
                raise _invalid_output(step, f"it returned nothing for `{role}`")
            found[role] = None
        elif isinstance(names, list) or takes_several(step.stage.outputs, role):
            several = names if isinstance(names, list) else [names]
            found[role] = tuple(_checked(step, role, name, folder) for name in several)
        else:
            found[role] = _checked(step, role, names, folder)
    return found


def _clear(out_dir: Path) -> None:
    """Remove a step's folder and everything left in it."""
    try:
        out_dir.rmdir()
    except OSError:
        shutil.rmtree(out_dir, ignore_errors=True)


def _checked(step: Step, role: str, name: str, out_dir: Path) -> Path:
    path = out_dir / name
    try:
        is_file = stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        is_file = False
    # A plain file name, as nearly all are, cannot lead out of the folder.
    if not (is_file and path.name == name) and not path.resolve().is_relative_to(out_dir.resolve()):
        raise _invalid_output(step, f"`{role}` is {name}, outside its folder")
    if not is_file:
        raise _invalid_output(step, f"`{role}` is {name}, and there is no such file")
    return path


def _invalid_output(step: Step, what: str) -> OutputsInvalid:
    return OutputsInvalid(
        "outputs.invalid",
        f"{step.stage.name} ({step.backend_name}) reports success, but {what}",
        hint="this is an error in the stage; no part of its result was kept",
    )
