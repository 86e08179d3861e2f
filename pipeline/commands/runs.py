"""`reel runs`: what was run before."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from pipeline.commands import runs_upkeep
from pipeline.commands.common import CommandResult, app_of, table
from pipeline.errors import UsageError
from pipeline.runs import Runs
from shared.timecode import span


def execute(arguments: argparse.Namespace) -> CommandResult:
    """List the runs, or show the steps of one."""
    app = app_of(arguments)
    if arguments.action in {"repair", "prune"}:
        return runs_upkeep.execute(arguments, app)
    runs = Runs(app.store, app.project.runs)
    records = runs.all()
    if arguments.action == "list":
        listed = [(run.id, run.state, run.recipe, run.profile, run.started) for run in records]
        text = table(listed, ("RUN", "STATE", "RECIPE", "PROFILE", "STARTED")) if listed else "nothing was run yet"
        return CommandResult({"runs": [asdict(run) for run in records]}, text)
    if not records and not arguments.id:
        raise UsageError("runs.none", "nothing was run yet")
    run_id = arguments.id or records[0].id
    details = runs.details(run_id)
    steps = details.steps
    rows = [
        (
            step.item,
            step.step,
            step.backend,
            step.state,
            span(step.seconds) if step.seconds is not None else "-",
            (step.key or "-")[:8],
        )
        for step in steps
    ]
    text = table(rows, ("MEDIA", "STEP", "BACKEND", "STATE", "TIME", "RESULT"))
    return CommandResult(
        {"run": details.run.id, "steps": [asdict(step) for step in steps]}, f"run {details.run.id}\n{text}"
    )
