"""`reel run`: the main job."""

from __future__ import annotations

import argparse
from pathlib import Path

from pydantic import JsonValue

from pipeline.app import App
from pipeline.batch import BatchResult, find_media, run_batch
from pipeline.commands.common import CommandResult, app_of
from pipeline.errors import EXIT_OK, EXIT_SOME_FAILED
from pipeline.events import Notice
from pipeline.item import ItemResult
from pipeline.paths import shown
from pipeline.reporters import open_reporter


def execute(arguments: argparse.Namespace) -> CommandResult:
    """Run the recipe for each media."""
    app = app_of(arguments)
    media = find_media(arguments.media, Path.cwd())
    plan = app.plan()
    with open_reporter(app.settings.progress) as emit:
        if not app.settings.stub and (advice := _advice(app)):
            emit(Notice(None, None, advice))
        result = run_batch(media, plan, app, emit, continuing=arguments.continuing)
    return CommandResult(
        _data(result), _text(result), _exit_code(result), tuple(i.error for i in result.failed if i.error)
    )


def _advice(app: App) -> str | None:
    """What a better profile would need."""
    if not app.profile.better:
        return None
    size = sum(app.models.locked[name].size for name in app.profile.better_needs)
    return (
        f"profile {app.profile.name}; {app.profile.better} would be better and needs {size / 1e6:.0f} MB more:"
        f" ./reel models fetch --profile {app.profile.better}"
    )


def _exit_code(result: BatchResult) -> int:
    if not result.failed:
        return EXIT_OK
    if len(result.items) > 1:
        return EXIT_SOME_FAILED
    error = result.failed[0].error
    return error.exit_code if error else EXIT_OK


def _data(result: BatchResult) -> JsonValue:
    return {"items": [_item_data(item) for item in result.items]}


def _item_data(item: ItemResult) -> JsonValue:
    files: list[JsonValue] = [str(path) for path in item.published.files] if item.published else []
    return {
        "name": item.item.name,
        "media": str(item.item.media),
        "state": item.state,
        "steps_run": item.steps_run,
        "seconds": round(item.seconds, 3),
        "folder": str(item.published.folder) if item.published else None,
        "files": files,
        "error": item.error.code if item.error else None,
    }


def _text(result: BatchResult) -> str:
    """The published files, one a line: what a script wants."""
    return "\n".join(shown(path) for item in result.items if item.published for path in item.published.files)
