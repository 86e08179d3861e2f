"""`reel runs list`: the history of runs."""

from __future__ import annotations

from dataclasses import asdict

from pipeline.cli.arguments import CommandResult, project_of, table
from pipeline.cli.options.declare import Arguments


def list_runs(arguments: Arguments) -> CommandResult:
    """List the runs, newest first."""
    project = project_of(arguments)
    records = project.records().history.all()
    listed = [(run.id, run.state, run.recipe, run.profile, run.started) for run in records]
    text = table(listed, ("RUN", "STATE", "RECIPE", "PROFILE", "STARTED")) if listed else "there are no runs yet"
    return CommandResult({"runs": [asdict(run) for run in records]}, text)
