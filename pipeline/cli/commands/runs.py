"""`reel runs list`: the history of runs."""

from __future__ import annotations

from dataclasses import asdict

from pipeline.cli.arguments import CommandResult, app_of, table
from pipeline.cli.options.declare import Arguments
from pipeline.store.history import Runs


def list_runs(arguments: Arguments) -> CommandResult:
    """List the runs, newest first."""
    app = app_of(arguments)
    records = Runs(app.store, app.project.runs).all()
    listed = [(run.id, run.state, run.recipe, run.profile, run.started) for run in records]
    text = table(listed, ("RUN", "STATE", "RECIPE", "PROFILE", "STARTED")) if listed else "there are no runs yet"
    return CommandResult({"runs": [asdict(run) for run in records]}, text)
