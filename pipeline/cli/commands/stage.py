"""`reel stage`, `stages new` and `stages new-backend`: run a single stage on plain files, and write skeletons.

A single stage always runs, and its result is not stored. A skeleton works as soon as it is written.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue

from pipeline.base import events
from pipeline.base.errors import BadInput, UsageError
from pipeline.base.events import Emit
from pipeline.base.project import CODE_ROOT
from pipeline.cli.arguments import CommandResult, project_of, table
from pipeline.cli.first_use import ask_about_code
from pipeline.cli.options.single import NewBackend, NewStage, RunStage
from pipeline.cli.reporters import open_reporter
from pipeline.cli.skeletons import Skeleton, check_backend_name, check_stage_name, write_skeleton
from pipeline.cli.skeletons.new_backend import new_backend
from pipeline.cli.skeletons.new_stage import new_stage
from pipeline.engine.language_models import language_in, with_model
from pipeline.engine.model_needs import models_to_lock
from pipeline.engine.set_up import set_up
from pipeline.engine.step_run import checked_outputs
from pipeline.model_cache.first_use import lock_first
from pipeline.plan.make_plan import single_step
from pipeline.plan.model import Step, takes_several
from pipeline.plan.registry import BROKEN, STAGES, stage_named
from pipeline.publishing.folders import unwritable
from pipeline.publishing.stage_outputs import place_outputs
from pipeline.workers.dispatcher import StepJob
from pipeline.workers.installation import Installation
from pipeline.workers.local_host import local_dispatcher
from shared import protocol
from shared.stage import PROVISIONAL, Stage

_PROVISIONAL = "provisional: `reel stage` stores nothing, so run the same command again for a better result"
_LIMIT_S = 24 * 3600.0  # long, because the developer can end the command
_RESERVED = ("toolkit", "new")  # names of folders and commands that no stage can have


def run_stage(arguments: RunStage) -> CommandResult:
    """Run the stage and leave its outputs in `--output`."""
    stage = stage_named(arguments.name)
    inputs = assign_inputs(stage, arguments.inputs)
    output = _output_folder(Path(arguments.output).absolute())
    project = project_of(arguments)
    installed = project.installed
    step = single_step(stage, project.planner.options(), {}, arguments.backend)
    ask_about_code([step], installed)
    warnings: list[str] = []
    with open_reporter(project.settings.progress) as emit:
        new = models_to_lock([step], installed.models)
        failed = lock_first(new, installed.models, emit, offline=installed.settings.offline)
        step = single_step(stage, project.planner.options(), {}, arguments.backend)
        if step.waits_for_language:
            language = language_in(inputs)
            step = with_model(step, language, installed.models, emit, stage.name, offline=installed.settings.offline)
        set_up([step], installed, emit, failed)
        done = _run(step, inputs, output, installed, emit, warnings)
    files: dict[str, JsonValue] = {role: _paths(names, output) for role, names in done.outputs.items()}
    data: JsonValue = {
        "stage": stage.name,
        "backend": step.backend_name,
        "outputs": files,
        "facts": dict(done.facts),
        "warnings": list(warnings),
        "seconds": round(done.seconds, 3),
        "cpu_s": round(done.cpu_s, 3),
    }
    lines = [f"{name}: {value}" for name, value in done.facts.items()]
    lines += [str(output / name) for names in done.outputs.values() for name in _names(names)]
    return CommandResult(data, "\n".join(lines))


def assign_inputs(stage: Stage, words: Sequence[str]) -> protocol.FileNames:
    """Return the files by role. `role=file` names its role; other files take the free roles in the stage's order. A
    role without a file is left out. Raises `UsageError`."""
    roles = list(stage.inputs.model_fields)
    assigned: dict[str, str | list[str] | None] = {}
    unnamed = []
    for word in words:
        role, equals, path = word.partition("=")
        if equals and role in roles:
            _assign(stage, assigned, role, path)
        else:
            unnamed.append(word)
    free = [role for role in roles if role not in assigned]
    for position, path in enumerate(unnamed):
        last = min(position, len(free) - 1)
        if not free or (position >= len(free) and not takes_several(stage.inputs, free[last])):
            raise UsageError(
                "stage.inputs", f"{stage.name} takes {len(roles)} inputs, so {path} is too many: {', '.join(roles)}"
            )
        _assign(stage, assigned, free[last], path)
    for role, field in stage.inputs.model_fields.items():
        if field.is_required() and role not in assigned:
            raise UsageError(
                "stage.inputs",
                f"{stage.name} needs the input `{role}`",
                hint=f"its inputs are {', '.join(roles)}; add {role}=FILE",
            )
    return {role: assigned[role] for role in roles if role in assigned}


def _output_folder(folder: Path) -> Path:
    """Create the folder for the outputs, if it is missing, before any work. Raises `BadInput` if it is not writable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise unwritable(folder, error) from error
    return folder


def _assign(stage: Stage, assigned: dict[str, str | list[str] | None], role: str, path: str) -> None:
    place = Path(path).absolute()
    if not place.exists():
        raise BadInput("stage.input-missing", f"{path}, for the input `{role}` of {stage.name}, is not there")
    if takes_several(stage.inputs, role):
        several = assigned.setdefault(role, [])
        assert isinstance(several, list)
        several.append(str(place))
    else:
        assigned[role] = str(place)


def _run(
    step: Step, inputs: protocol.FileNames, output: Path, installed: Installation, emit: Emit, warnings: list[str]
) -> protocol.Done:
    def on_event(event: protocol.Remark) -> None:
        if isinstance(event, protocol.Progress):
            emit(events.StepProgress(step.stage.name, step.id, event.done))
        elif isinstance(event, protocol.Partial):
            emit(events.StepPartial(step.stage.name, step.id, event.start_ms, event.end_ms, event.text))
        else:
            warnings.append(event.text)
            emit(events.Notice(step.stage.name, step.id, event.text))

    async def work(staging: Path) -> protocol.Done:
        models = {role: installed.models.snapshot(name) for role, name in step.models.items()}
        async with local_dispatcher(installed, output / "logs") as dispatcher:
            return await dispatcher.run(StepJob(step, inputs, staging, _LIMIT_S, models, on_event=on_event))

    emit(events.StepStarted(step.stage.name, step.id, step.backend_name, "asked for", None))
    with tempfile.TemporaryDirectory(dir=output, prefix=".staging-") as folder:
        done = asyncio.run(work(Path(folder)))  # an error is printed by the command line, so no event reports it
        checked_outputs(step, done, Path(folder))
        place_outputs(Path(folder), output)
    if PROVISIONAL in done.facts:
        emit(events.Notice(step.stage.name, step.id, _PROVISIONAL))
    emit(events.StepDone(step.stage.name, step.id, step.backend_name, "", done.seconds, None, done.facts))
    return done


def _paths(names: str | list[str] | None, output: Path) -> JsonValue:
    """Return the path of an output, or the list of its paths if it is several files."""
    paths: list[JsonValue] = [str(output / name) for name in _names(names)]
    return paths if isinstance(names, list) else next(iter(paths), None)


def _names(names: str | list[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else names or []


def write_stage(arguments: NewStage) -> CommandResult:
    """Write the skeleton of a stage."""
    check_stage_name(arguments.name, {*STAGES, *BROKEN, *_RESERVED})
    return _write(new_stage(arguments.name, CODE_ROOT), CODE_ROOT)


def write_backend(arguments: NewBackend) -> CommandResult:
    """Write the skeleton of a backend."""
    stage = stage_named(arguments.stage)
    check_backend_name(arguments.name, {*stage.backends, "stage", "stub", "auto"})
    return _write(new_backend(stage, arguments.name, arguments.like, CODE_ROOT), CODE_ROOT)


def _write(skeleton: Skeleton, root: Path) -> CommandResult:
    write_skeleton(root, skeleton)
    lines = [f"written: {name}" for name in skeleton.written] + [f"changed: {name}" for name in skeleton.changed]
    steps = table([(f"  {command}", f"# {purpose}") for command, purpose in skeleton.steps])
    data = {
        "written": list(skeleton.written),
        "changed": list(skeleton.changed),
        "next": [command for command, _ in skeleton.steps],
    }
    text = "\n".join([*lines, "", "next:", steps])
    return CommandResult({name: [*values] for name, values in data.items()}, text)
