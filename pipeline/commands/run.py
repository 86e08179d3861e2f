"""`reel run`: the main job."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from pydantic import JsonValue

from pipeline.app import App
from pipeline.batch import BatchResult, run_batch
from pipeline.commands.common import CommandResult, app_of, requests_of, table
from pipeline.errors import EXIT_OK, EXIT_SOME_FAILED, UsageError
from pipeline.events import Checked, Notice
from pipeline.executors import ray_cluster
from pipeline.item import ItemResult
from pipeline.media_list import Request, ordered
from pipeline.paths import shown
from pipeline.reporters import open_reporter
from pipeline.runs import Runs


def execute(arguments: argparse.Namespace) -> CommandResult:
    """Run the recipe for each media."""
    app = app_of(arguments)
    if app.settings.cluster:
        ray_cluster.check_reachable(app.settings.cluster)
        ray_cluster.enter(app)
    requests = _failed_before(app, arguments) if arguments.retry_failed else requests_of(arguments, Path.cwd())
    with open_reporter(app.settings.progress) as emit:
        if not app.settings.stub and (advice := _advice(app)):
            emit(Notice(None, None, advice))
        result = run_batch(requests, app, emit, fail_fast=arguments.fail_fast, continuing=arguments.continuing)
    if len(result.items) > 1 and app.settings.progress in {"auto", "plain"}:
        print(_summary(result), file=sys.stderr)
    return CommandResult(
        _data(result), _text(result), _exit_code(result), tuple(i.error for i in result.failed if i.error)
    )


def _failed_before(app: App, arguments: argparse.Namespace) -> list[Request]:
    """What failed in the last run: all of it, or those of the media that are named."""
    runs = Runs(app.store, app.project.runs)
    newest = next(iter(runs.all()), None)
    items = runs.details(newest.id).items if newest else ()
    failed = [Path(item.media) for item in items if item.state == "failed" and item.media]
    if arguments.media or arguments.manifest:
        requests = [request for request in requests_of(arguments, Path.cwd()) if request.media in set(failed)]
    else:
        requests = ordered([Request(media) for media in failed], arguments.order, arguments.limit)
    if not requests:
        raise UsageError("runs.none-failed", "nothing of this failed in the last run", hint="`./reel runs show` tells")
    return requests


def _summary(result: BatchResult) -> str:
    """How many of each, and why those that failed did."""
    counts = Counter(item.state for item in result.items)
    words = [f"{counts[state]} {state}" for state in ("done", "reused", "failed", "skipped") if counts[state]]
    rows = [(item.name, item.state, _why(item)) for item in result.items if item.state in {"failed", "skipped"}]
    checked = [check for item in result.items for check in item.checked]
    cues, over = sum(check.cues for check in checked), sum(check.over_limits for check in checked)
    quality = [f"{cues} cues, {over} over the limits of their guide"] if checked else []
    return "\n".join([f"{len(result.items)} media: {', '.join(words)}", *quality, *([table(rows)] if rows else [])])


def _why(item: ItemResult) -> str:
    return f"{item.error.message.splitlines()[0]} [{item.error.code}]" if item.error else "another failed before it"


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
    counts: dict[str, JsonValue] = dict(Counter(item.state for item in result.items))
    return {"items": [_item_data(item) for item in result.items], "counts": counts}


def _item_data(item: ItemResult) -> JsonValue:
    files: list[JsonValue] = [str(path) for path in item.published.files] if item.published else []
    return {
        "name": item.name,
        "media": str(item.media),
        "state": item.state,
        "steps_run": item.steps_run,
        "seconds": round(item.seconds, 3),
        "folder": str(item.published.folder) if item.published else None,
        "files": files,
        "checked": [_check_data(check) for check in item.checked],
        "error": item.error.code if item.error else None,
        "reason": item.error.message if item.error else None,
    }


def _check_data(check: Checked) -> JsonValue:
    rules: dict[str, JsonValue] = dict(check.rules)
    return {
        "step": check.step,
        "language": check.language,
        "cues": check.cues,
        "over_limits": check.over_limits,
        "rules": rules,
    }


def _text(result: BatchResult) -> str:
    """The published files, one a line: what a script wants."""
    return "\n".join(shown(path) for item in result.items if item.published for path in item.published.files)
