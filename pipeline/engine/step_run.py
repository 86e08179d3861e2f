"""One step: its key, its result if there is one, else a worker's job, checked and committed."""

from __future__ import annotations

import asyncio
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.app import App
from pipeline.base.errors import OutOfMemory, OutputsInvalid, WorkerCrashed, WorkerKilled, WorkerLost
from pipeline.plan.model import Step, takes_several
from pipeline.plan.oom_fallback import changes_bytes
from pipeline.plan.result_key import InputDigests, Surroundings, ingredients, result_key
from pipeline.store.results import StoredFile, StoredResult, as_input
from pipeline.workers.dispatcher import Dispatcher
from pipeline.workers.scheduler import Order
from shared import protocol

_ATTEMPTS = 2  # a native crash or a kill is tried once more, in a fresh process: many are not the file's fault
_MACHINES = 3  # that may be lost with the step on them: more is no accident

_OVER_LIMIT = "worker.memory"  # its own limit, whatever others hold


@dataclass(frozen=True)
class Listening:
    """Who hears from a step: what it waits for, when a worker begins with it, how far it is, and what the user should
    know."""

    waiting: Callable[[str], None]
    started: Callable[[str], None]  # by a worker of this name
    progress: Callable[[float], None]
    warning: Callable[[str], None]


@dataclass(frozen=True)
class Keyed:
    """A step whose inputs are known, with the key of its result."""

    step: Step
    inputs: InputDigests
    surroundings: Surroundings
    parts: Mapping[str, object]
    key: str


def keyed(step: Step, inputs: InputDigests, surroundings: Surroundings) -> Keyed:
    """The step with its key."""
    parts = ingredients(step, inputs, surroundings)
    return Keyed(step, inputs, surroundings, parts, result_key(parts))


async def run_step(
    work: Keyed, below: Sequence[Step], media: Mapping[str, Path], media_ms: int, app: App, dispatcher: Dispatcher,
    listening: Listening, order: Order = (),
) -> StoredResult:  # fmt: skip
    """Run the step and write its result, which the caller notes in the index; when memory runs out, with nothing else
    loaded, then as the steps `below` on its backend's ladder. `media` maps digests to the user's own files. Raises
    `StepFailed` and `StageRefused`; whatever it raises, the store holds nothing half done."""
    lower, alone, fell = iter(below), False, False
    while True:
        try:
            result = await _run(work, media, media_ms, app, dispatcher, listening, order)
        except OutOfMemory as error:
            if error.code != _OVER_LIMIT and not alone and await dispatcher.make_room():
                listening.warning(f"out of memory, so once more with other models unloaded: {error.message}")
                alone = True
                continue
            step = next(lower, None)
            if step is None or step.rung is None:
                raise
            listening.warning(f"out of memory, so on with {step.rung.name}: {error.message}")
            work, alone, fell = keyed(step, work.inputs, work.surroundings), False, True
            if found := app.store.reusable(work.key):
                return found
        else:
            if fell:
                dispatcher.observed.fits_on(work.step)
            return result


async def _run(
    work: Keyed, media: Mapping[str, Path], media_ms: int, app: App, dispatcher: Dispatcher, listening: Listening,
    order: Order,
) -> StoredResult:  # fmt: skip
    step = work.step
    warnings: list[str] = []

    def hear(event: protocol.Progress | protocol.Notice) -> None:
        if isinstance(event, protocol.Progress):
            listening.progress(event.done)
        else:
            warnings.append(event.text)
            listening.warning(event.text)

    limit_s = step.backend.resources.time_base_s + step.backend.resources.time_per_media_s * media_ms / 1000
    models = {role: app.models.snapshot(name) for role, name in step.models.items()}
    inputs = as_input(work.inputs, app.store, media)
    attempt = lost = 0
    while True:
        attempt += 1
        warnings.clear()
        out_dir = app.store.make_staging(f"{work.key[:16]}-{step.id.replace(':', '-')}")
        try:
            done = await dispatcher.run(
                step, models, inputs, out_dir, limit_s, listening.started, hear, order, listening.waiting
            )
            break
        except (WorkerCrashed, WorkerKilled) as error:
            if attempt == _ATTEMPTS or error.code == "worker.protocol":
                raise
        except WorkerLost as error:
            attempt, lost = attempt - 1, lost + 1
            if lost == _MACHINES:
                raise
            listening.warning(f"{error.message}, so once more on another")
    return await asyncio.to_thread(_keep, work, done, tuple(warnings), out_dir, app)


def _keep(work: Keyed, done: protocol.Done, warnings: tuple[str, ...], out_dir: Path, app: App) -> StoredResult:
    """The result with its files, on the disk. Waits for it, so a thread does it."""
    step = work.step
    outputs = _take_in(step, done, out_dir, app)
    facts = dict(done.facts)
    if step.rung and changes_bytes(step):
        facts["rung"] = step.rung.name
    result = StoredResult.model_validate(
        {
            "key": work.key,
            "ingredients": dict(work.parts),
            "outputs": outputs,
            "facts": facts,
            "warnings": warnings,
            "seconds": round(done.seconds, 3),
            "cpu_s": round(done.cpu_s, 3),
            "memory_mb": done.memory_mb,
        }
    )
    app.store.write_manifest(result)
    return result


def _take_in(
    step: Step, done: protocol.Done, out_dir: Path, app: App
) -> dict[str, StoredFile | tuple[StoredFile, ...] | None]:
    """The outputs, moved into the store; raises `OutputsInvalid` when they are not what the stage declared."""
    declared = step.stage.outputs.model_fields
    if set(done.outputs) != set(declared):
        raise _lie(step, f"it returned {sorted(done.outputs)}, declared are {sorted(declared)}")
    taken: dict[str, StoredFile | tuple[StoredFile, ...] | None] = {}
    for role, names in done.outputs.items():
        if names is None:
            if declared[role].is_required():
                raise _lie(step, f"it returned nothing for `{role}`")
            taken[role] = None
        elif isinstance(names, list) or takes_several(step.stage.outputs, role):
            several = names if isinstance(names, list) else [names]
            taken[role] = tuple(app.store.take_in(_checked(step, role, name, out_dir)) for name in several)
        else:
            taken[role] = app.store.take_in(_checked(step, role, names, out_dir))
    try:
        out_dir.rmdir()
    except OSError:  # something else was left in it
        shutil.rmtree(out_dir)
    return taken


def _checked(step: Step, role: str, name: str, out_dir: Path) -> Path:
    path = out_dir / name
    try:
        is_file = stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        is_file = False
    # A file's name alone, as nearly all are, leads nowhere else.
    if not (is_file and path.name == name) and not path.resolve().is_relative_to(out_dir.resolve()):
        raise _lie(step, f"`{role}` is {name}, outside its folder")
    if not is_file:
        raise _lie(step, f"`{role}` is {name}, and there is no such file")
    return path


def _lie(step: Step, what: str) -> OutputsInvalid:
    return OutputsInvalid(
        "outputs.invalid",
        f"{step.stage.name} ({step.backend_name}) says it is done, but {what}",
        hint="this is a mistake in the stage; nothing of this result was kept",
    )
