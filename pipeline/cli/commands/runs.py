"""`reel runs`: the history of runs."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from pipeline.cli.arguments import CommandResult, app_of, table
from pipeline.cli.commands import runs_show, runs_upkeep
from pipeline.store.history import Runs


def execute(arguments: argparse.Namespace) -> CommandResult:
    """List the runs, show one, or look after their results."""
    app = app_of(arguments)
    if arguments.action in {"repair", "prune"}:
        return runs_upkeep.execute(arguments, app)
    if arguments.action == "show":
        return runs_show.execute(arguments, app)
    records = Runs(app.store, app.project.runs).all()
    listed = [(run.id, run.state, run.recipe, run.profile, run.started) for run in records]
    text = table(listed, ("RUN", "STATE", "RECIPE", "PROFILE", "STARTED")) if listed else "there are no runs yet"
    return CommandResult({"runs": [asdict(run) for run in records]}, text)
