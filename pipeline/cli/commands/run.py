"""`reel run`: the main job."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pipeline.app import App
from pipeline.base.errors import UsageError
from pipeline.base.events import Notice
from pipeline.cli.arguments import CommandResult, app_of, requests_of, walk_of
from pipeline.cli.batch_output import asked_of, result_of, summary
from pipeline.cli.options.jobs import RunMedia
from pipeline.cli.reporters import open_reporter
from pipeline.engine.batch import run_batch
from pipeline.engine.folder_walk import told
from pipeline.engine.media_list import Request, ordered
from pipeline.store.history import Runs
from pipeline.workers.ray import cluster as ray_cluster


def run(arguments: RunMedia) -> CommandResult:
    """Run the recipe for each media file."""
    app = app_of(arguments)
    join_cluster(app)
    walk = walk_of(app)
    named: list[Request] | None = None
    if arguments.media or arguments.manifest or not arguments.retry_failed:
        named = requests_of(arguments, Path.cwd(), walk)
    requests: Iterable[Request] = _failed_before(app, arguments, named) if arguments.retry_failed else named or ()
    with open_reporter(app.settings.progress) as emit:
        if passed := told(walk.passed):
            emit(Notice(None, None, passed))
        if advice := advice_of(app):
            emit(Notice(None, None, advice))
        result = run_batch(requests, app, emit, fail_fast=arguments.fail_fast, continuing=arguments.continuing)
        if asked := asked_of(result):
            emit(Notice(None, None, asked))
    if len(result.items) > 1 and app.settings.progress in {"auto", "plain"}:
        print(summary(result), file=sys.stderr)
    return result_of(result)


def _failed_before(app: App, arguments: RunMedia, named: Sequence[Request] | None) -> Iterator[Request]:
    """Yield the files that failed and were not finished since: all, or those that the command names. The history is
    read on demand, so that a run that this one waited for counts."""
    failed = [Path(media) for media in Runs(app.store, app.project.runs).last_failed()]
    if named is not None:
        requests = [request for request in named if request.media in set(failed)]
    else:
        requests = ordered([Request(media) for media in failed], arguments.order, arguments.limit)
    if not requests:
        text = "none of these files failed in the last run that had failures"
        raise UsageError("runs.none-failed", text, hint="`./reel runs list` shows the runs")
    yield from requests


def join_cluster(app: App) -> None:
    """Reach the cluster that the settings name, if they name one."""
    if app.settings.cluster:
        ray_cluster.require_linux()
        ray_cluster.check_reachable(app.settings.cluster)
        ray_cluster.enter(app)


def advice_of(app: App) -> str | None:
    """Return what a better profile would need; None where there is none."""
    if not app.profile.better or app.settings.stub:
        return None
    size = sum(app.models.locked[name].size for name in app.profile.better_needs)
    return (
        f"profile {app.profile.name}; {app.profile.better} would be better and needs {size / 1e6:.0f} MB more:"
        f" ./reel models fetch --profile {app.profile.better}"
    )
