"""Runs one step: has a worker do it, repeats it after recoverable failures, checks the outputs and stores them."""

from __future__ import annotations

import asyncio
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from pipeline.plan.result_key import InputDigests, KeyContext, ingredients, result_key
from pipeline.store.media_file import MediaFile
from pipeline.store.results import ResultStore, StoredFile, StoredResult, as_input
from pipeline.workers.dispatcher import Dispatcher, StepJob
from pipeline.workers.scheduler import Order
from shared import protocol

_MOST_CRASHES = 2  # after the first one, a new process repeats the step: the file is rarely the cause
_MOST_LOST_MACHINES = 3  # while they run the step: so many are not an accident
_MOST_READINGS = 3  # of a media file that another program touches during the step

_OVER_LIMIT = "worker.memory"  # code of the error: the worker exceeded its own limit, whatever others hold


@dataclass(frozen=True)
class StepCallbacks:
    """Callbacks of a running step."""

    waiting: Callable[[str], None]  # receives the reason for the wait
    started: Callable[[str], None]  # receives the name of the worker
    progress: Callable[[float], None]  # receives the share that is done
    warning: Callable[[str], None]  # receives a text for the user
    partial: Callable[[protocol.Partial], None] = lambda partial: None  # receives text recognised so far


@dataclass(frozen=True)
class UserFiles:
    """Inputs of a step that are files of the user: the media file with its length, and others by digest."""

    media_ms: int
    media: MediaFile | None = None
    others: Mapping[str, Path] = field(default_factory=dict)

    @property
    def paths(self) -> Mapping[str, Path]:
        """Return the paths of all files by digest."""
        return {**self.others, self.media.digest: self.media.path} if self.media else self.others

    def media_read_by(self, inputs: InputDigests) -> MediaFile | None:
        """Return the media file if it is among these inputs."""
        digest = self.media.digest if self.media else ""
        is_input = any(digest == value or (isinstance(value, list) and digest in value) for value in inputs.values())
        return self.media if is_input else None


@dataclass(frozen=True)
class PreparedStep:
    """Step whose inputs are known, with the key of its result. A `variant` replaces the step that was looked up in the
    store, so its result may be there."""

    step: Step
    inputs: InputDigests
    key_context: KeyContext
    parts: Mapping[str, object]
    key: str
    variant: bool = False


def prepare_step(step: Step, inputs: InputDigests, key_context: KeyContext) -> PreparedStep:
    """Return the step with the key of its result."""
    parts = ingredients(step, inputs, key_context)
    return PreparedStep(step, inputs, key_context, parts, result_key(parts))


@dataclass
class _Attempts:
    """Attempts at one step: the variant that is tried now, and the fallbacks of its backend that remain."""

    work: PreparedStep
    fallbacks: Iterator[Step]
    ran_alone: bool = False  # this variant was repeated with the other models unloaded
    fell: bool = False  # memory ran out for a better variant
    crowded: bool = False  # other programs held memory when it ran out, so that tells nothing about the step

    def use_variant(self, step: Step) -> None:
        """Go on with another variant of the step."""
        self.work = replace(prepare_step(step, self.work.inputs, self.work.key_context), variant=True)
        self.ran_alone = False

    def use_processor(self, reason: str) -> None:
        """Go on with the step on the processor, with all of its fallbacks there. `reason` says what is wrong with the
        card."""
        self.use_variant(on_processor(self.work.step, reason))
        self.fallbacks, self.fell = iter(fallback_steps(self.work.step)), False


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
        self,
        work: PreparedStep,
        fallbacks: Sequence[Step],
        files: UserFiles,
        callbacks: StepCallbacks,
        order: Order = (),
    ) -> StoredResult:
        """Run the step and write its result, which the caller then notes in the index.

        If memory runs out, repeat the step with nothing else loaded, then as each of `fallbacks`; if the card fails,
        repeat it on the processor. Raises `MediaChanged`, `StepFailed` and `StageRefused`. Even then the store holds no
        partial result, and no result of another content than its key says.
        """
        attempts = _Attempts(work, iter(fallbacks))
        while True:
            if reason := self.dispatcher.cards.given_up(attempts.work.step):
                attempts.use_processor(reason)
            if attempts.work.variant and (found := self.store.reusable(attempts.work.key)):
                return found
            try:
                result = await self._read_and_run(attempts.work, files, callbacks, order)
            except OutOfMemory as error:
                callbacks.warning(await self._after_out_of_memory(attempts, error))
            except (CardFailed, WorkerCrashed) as error:
                self._after_card_failure(attempts, error, callbacks)
            else:
                if not attempts.crowded:
                    self.dispatcher.measurements.record_fit(attempts.work.step, fell=attempts.fell)
                return result

    async def _after_out_of_memory(self, attempts: _Attempts, error: OutOfMemory) -> str:
        """Decide what to try next, and return the sentence about it for the user. Raises the error if nothing is
        left."""
        if error.code != _OVER_LIMIT and not attempts.ran_alone and await self.dispatcher.make_room(error):
            attempts.ran_alone = True
            return f"out of memory, so the step runs again with other models unloaded: {error.message}"
        step = next(attempts.fallbacks, None)
        if step is None or step.fallback is None:
            raise error
        attempts.crowded = attempts.crowded or await self.dispatcher.is_crowded(error)
        attempts.fell = True
        attempts.use_variant(step)
        return f"out of memory, so the step runs again with {step.fallback.name}: {error.message}"

    def _after_card_failure(
        self, attempts: _Attempts, error: CardFailed | WorkerCrashed, callbacks: StepCallbacks
    ) -> None:
        """Go on without the card. Raises the error if the step did not compute on one."""
        step = attempts.work.step
        if step.device != "cuda" or error.code == "worker.protocol":
            raise error
        if sentence := self.dispatcher.cards.record(step, error):
            callbacks.warning(sentence)
        attempts.use_processor(error.message)

    async def _read_and_run(
        self, work: PreparedStep, files: UserFiles, callbacks: StepCallbacks, order: Order
    ) -> StoredResult:
        """Run the step, and repeat it if another program touched the media file meanwhile.

        A touched file may have had another content for a moment, even if its content is the same afterwards.
        """
        media = files.media_read_by(work.inputs)
        for _ in range(_MOST_READINGS):
            changes = media.changes if media else 0
            try:
                output = await self._run_on_worker(work, files, callbacks, order)
            except (StageRefused, StepFailed):
                if media:  # if the file changed during the step, that is the cause, not the error that the step reports
                    await asyncio.to_thread(media.verify)
                raise
            result = await asyncio.to_thread(_store_if_same, media, changes, work, output, self.store)
            if result:
                return result
            callbacks.warning("the media file was touched while it was read, so the step runs again")
        assert media
        raise MediaChanged(
            "media.changed",
            f"{as_text(media.path)} was touched during each of {_MOST_READINGS} readings",
            hint="run the same command again when no program changes the file any more",
        )

    async def _run_on_worker(
        self, work: PreparedStep, files: UserFiles, callbacks: StepCallbacks, order: Order
    ) -> _Output:
        """Have a worker run the step; repeat it in another process after a crash, or on another machine after a
        loss."""
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

        limit_s = step.backend.resources.time_base_s + step.backend.resources.time_per_media_s * files.media_ms / 1000
        models = {role: self.models.snapshot(name) for role, name in step.models.items()}
        inputs = as_input(work.inputs, self.store, files.paths)
        crashes = lost_machines = 0
        while True:
            warnings.clear()
            folder = self.store.make_staging(f"{work.key[:16]}-{step.id.replace(':', '-')}")
            try:
                job = StepJob(
                    step, inputs, folder, limit_s, models, order, callbacks.waiting, callbacks.started, on_event
                )
                return _Output(await self.dispatcher.run(job), tuple(warnings), folder)
            except (WorkerCrashed, WorkerKilled) as error:
                crashes += 1
                if crashes == _MOST_CRASHES or error.code == "worker.protocol":
                    raise
            except WorkerLost as error:
                lost_machines += 1
                if lost_machines == _MOST_LOST_MACHINES:
                    raise
                callbacks.warning(f"{error.message}, so the step runs again on another")
            except ReelError:
                _clear(folder)  # it may hold half a film, so it is not left until the end of the run
                raise


def _store_if_same(
    media: MediaFile | None, changes: int, work: PreparedStep, output: _Output, store: ResultStore
) -> StoredResult | None:
    """Store and return the result if nothing touched the media file since the step began, else return None. Raises
    `MediaChanged` if its content changed."""
    try:
        if media and media.verify() != changes:
            return None
        return _store_result(work, output, store)
    finally:
        _clear(output.folder)


def _store_result(work: PreparedStep, output: _Output, store: ResultStore) -> StoredResult:
    """Store the files of the result and write its manifest. To be called in a thread, because it waits for the disk."""
    step, done = work.step, output.done
    outputs = _store_outputs(step, output, store)
    facts = dict(done.facts)
    if step.fallback and changes_bytes(step):
        facts["rung"] = step.fallback.name  # the word of `job.json` and of older results
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
    # A plain file name, as nearly all are, cannot lead out of the folder: only others need the slow `resolve`.
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
