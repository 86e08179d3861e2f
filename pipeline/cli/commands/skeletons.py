"""`reel stages new` and `reel stages new-backend`: the first version of a stage or a backend, which works at once."""

from __future__ import annotations

from pathlib import Path

from pipeline.base.project import CODE_ROOT
from pipeline.cli.arguments import CommandResult, table
from pipeline.cli.options.single import NewBackend, NewStage
from pipeline.cli.skeletons import Skeleton, check_backend_name, check_stage_name, write_skeleton
from pipeline.cli.skeletons.new_backend import new_backend
from pipeline.cli.skeletons.new_stage import new_stage
from pipeline.plan.registry import BROKEN, STAGES, stage_named

_NOT_STAGES = ("toolkit", "new")


def write_stage(arguments: NewStage) -> CommandResult:
    """Write the skeleton of a stage."""
    check_stage_name(arguments.name, {*STAGES, *BROKEN, *_NOT_STAGES})
    return _written(new_stage(arguments.name, CODE_ROOT), CODE_ROOT)


def write_backend(arguments: NewBackend) -> CommandResult:
    """Write the skeleton of a backend."""
    stage = stage_named(arguments.stage)
    check_backend_name(arguments.name, {*stage.backends, "stage", "stub", "auto"})
    return _written(new_backend(stage, arguments.name, arguments.like, CODE_ROOT), CODE_ROOT)


def _written(skeleton: Skeleton, root: Path) -> CommandResult:
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
