"""`reel watch`: run the recipe for every media file that arrives in a folder."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from pipeline.base.display_paths import shown
from pipeline.base.errors import Missing, UsageError
from pipeline.base.events import Emit, Event, Notice, Published
from pipeline.cli.arguments import CommandResult, project_of, walk_of
from pipeline.cli.batch_output import SUMMARISED, result_of, service_usage, summary
from pipeline.cli.commands.run import better_profile, join_cluster
from pipeline.cli.first_use import ask_about_code
from pipeline.cli.options.jobs import WatchFolders
from pipeline.cli.reporters import open_reporter
from pipeline.engine.batch import run_batch
from pipeline.engine.media_list import absolute, check_name
from pipeline.engine.model_needs import plan_with_locked_models
from pipeline.engine.set_up import set_up
from pipeline.engine.watch import Watch


def watch(arguments: WatchFolders) -> CommandResult:
    """Process each media file as it arrives, until the user ends the command."""
    project = project_of(arguments)
    join_cluster(project.installed)
    for name in arguments.folders:
        check_name(name)
    folders = [absolute(Path.cwd() / name) for name in arguments.folders]
    for folder in folders:
        if not folder.is_dir():
            raise UsageError("watch.folder", f"{shown(folder)} is not a folder", hint="make it, or correct its name")
    ask_about_code(project.planner.plan().steps, project.installed)
    with open_reporter(project.settings.progress) as reporter:
        # A program that reads stdout gets each path at once, because this command runs until it is interrupted.
        emit = reporter if arguments.json or sys.stdout.isatty() else _printing_published(reporter)
        if advice := better_profile(project.planner):
            emit(Notice(None, None, advice))
        # Set up everything now: the first file then does not wait, and the user sees a mistake at once.
        failed: dict[str, Missing] = {}
        steps = plan_with_locked_models(project.planner, emit, failed).steps
        set_up(steps, project.installed, emit, failed)
        watched = Watch(folders, arguments.settle, walk_of(project), lambda text: emit(Notice(None, None, text)))
        names = ", ".join(shown(folder) for folder in folders)
        emit(Notice(None, None, f"watching {names}; Ctrl-C once to finish the current files and end"))
        result = run_batch(
            watched, project, emit, fail_fast=arguments.fail_fast, stop=watched.stop, purpose="reel watch"
        )
        if usage := service_usage(result):
            emit(Notice(None, None, usage))
    if project.settings.progress in SUMMARISED:
        print(summary(result), file=sys.stderr)
    return replace(result_of(result), text="")


def _printing_published(emit: Emit) -> Emit:
    """Return a function that passes events on to `emit`, and prints the path of each published file to stdout."""

    def emit_and_print(event: Event) -> None:
        emit(event)
        if isinstance(event, Published):
            print(shown(event.path), flush=True)

    return emit_and_print
