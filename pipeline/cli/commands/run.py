"""`reel run`: run a recipe for media files; and `reel sync`: put a subtitle file in step with its film."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.base.display_paths import as_text
from pipeline.base.errors import UsageError
from pipeline.base.events import Notice
from pipeline.cli.arguments import CommandResult, project_of, requests_of, selecting, walk_of
from pipeline.cli.batch_output import SUMMARISED, result_of, service_usage, summary
from pipeline.cli.first_use import ask_about_code
from pipeline.cli.options.jobs import RunMedia
from pipeline.cli.options.single import SyncSubtitles
from pipeline.cli.reporters import open_reporter
from pipeline.cli.same_command import offering_again
from pipeline.cli.sync_report import lines_of, report_in
from pipeline.engine.addresses.fetch import request_for
from pipeline.engine.batch import run_batch
from pipeline.engine.folder_walk import describe_skipped
from pipeline.engine.library.chosen_subtitle import as_language, names_a_file, subtitle_file
from pipeline.engine.media_list import Request, find_media, ordered
from pipeline.engine.planner import Planner
from pipeline.engine.project import Project
from pipeline.plan.model import ExistingSubtitle
from pipeline.store.history import Runs
from pipeline.workers.installation import Installation
from pipeline.workers.ray import cluster as ray_cluster
from shared.text.subtitle_names import is_subtitle

_SYNC = "sync"  # the recipe


def run(arguments: RunMedia) -> CommandResult:
    """Run the recipe for each media file."""
    project = selecting(project_of(arguments), arguments)
    join_cluster(project.installed)
    walk = walk_of(project)
    named: list[Request] | None = None
    if arguments.media or arguments.manifest or not arguments.retry_failed:
        named = requests_of(arguments, Path.cwd(), walk, lambda address: _fetch(address, project))
    ask_about_code(project.planner.plan().steps, project.installed)
    requests: Iterable[Request] = named or ()
    if arguments.retry_failed:
        requests = _failed_requests(project.records().history, arguments, named)
    with open_reporter(project.settings.progress) as reporter:
        emit = offering_again(arguments, reporter)
        for note in filter(None, [describe_skipped(walk.passed), better_profile(project.planner)]):
            emit(Notice(None, None, note))
        result = run_batch(requests, project, emit, fail_fast=arguments.fail_fast, continuing=arguments.continuing)
        if usage := service_usage(result):
            emit(Notice(None, None, usage))
    if len(result.items) > 1 and project.settings.progress in SUMMARISED:
        print(summary(result), file=sys.stderr)
        if sys.stdout.isatty() and not arguments.json and project.settings.progress != "verbose":
            return replace(result_of(result), text="")  # the paths would push the summary out of sight
    return result_of(result)


def _fetch(address: str, project: Project) -> Request:
    """Return the request for an address, after downloading its file."""
    project.planner.plan()  # raises an error in the settings before anything is downloaded
    with open_reporter(project.settings.progress) as emit:
        return request_for(address, project, emit)


def sync(arguments: SyncSubtitles) -> CommandResult:
    """Put a subtitle in step with its film, and report how far its cues moved."""
    if arguments.output and is_subtitle(arguments.output):
        text = f"`-o` names a folder, and {arguments.output} is the name of a subtitle file"
        raise UsageError("sync.output", text, hint="the result goes to a file in the folder of the film: `-o out`")
    if is_subtitle(arguments.media):
        text = f"the film comes first, and {arguments.media} is the name of a subtitle file"
        raise UsageError("sync.film", text, hint="`./reel sync FILM SUBTITLE`, as `./reel sync film.mkv film.en.srt`")
    project = project_of(arguments)
    is_file = names_a_file(arguments.subtitles)
    mode = "none" if is_file else arguments.subtitles
    planner = project.planner.with_overrides({"recipe": _SYNC, "film": False, "subtitles": mode})
    project = replace(project, planner=planner)
    film = find_media([arguments.media], Path.cwd(), walk_of(project))[0]
    subtitle = _subtitle_to_sync(arguments) if is_file else None
    ask_about_code(planner.plan().steps, project.installed)
    with open_reporter(project.settings.progress) as emit:
        result = run_batch([Request(film, subtitle=subtitle)], project, emit, purpose="reel sync")
    output = result_of(result)
    report = report_in(result)
    if report is None:
        return output
    if project.settings.progress != "quiet":
        print("\n".join(lines_of(report)), file=sys.stderr)
    data = output.data if isinstance(output.data, dict) else {}
    return replace(output, data={**data, "report": report.model_dump(mode="json", exclude={"format"})})


def _subtitle_to_sync(arguments: SyncSubtitles) -> ExistingSubtitle:
    """Read the subtitle file that the command names, in the language of the flag or else of its name."""
    subtitle = subtitle_file(Path(arguments.subtitles).absolute(), None)
    language = as_language(arguments.language) if arguments.language else subtitle.language
    reason = f"{arguments.subtitles} is compared with what is heard in the film"
    return replace(subtitle, language=language, reason=reason)


def _failed_requests(history: Runs, arguments: RunMedia, named: Sequence[Request] | None) -> Iterator[Request]:
    """Yield the files that failed and were not finished since: all of them, or those that the command names.

    A generator, because the history is to be read only after another run has ended that this one waits for.
    """
    failed = history.last_failed()
    if named is not None:
        requests = [request for request in named if as_text(request.media) in set(failed)]
    else:
        requests = ordered([Request(Path(media)) for media in failed], arguments.order, arguments.limit)
    if not requests:
        text = "none of these files failed in the last run that had failures"
        raise UsageError("runs.none-failed", text, hint="`./reel runs list` shows the runs")
    yield from requests


def join_cluster(installed: Installation) -> None:
    """Reach the cluster that the settings name, if they name one."""
    if installed.settings.cluster:
        ray_cluster.require_linux()
        ray_cluster.check_reachable(installed.settings.cluster)
        ray_cluster.enter(installed)


def better_profile(planner: Planner) -> str | None:
    """Return a sentence about a better profile and what it would need; None if there is no better one."""
    profile, locked = planner.profile, planner.models.locked
    if not profile.better or planner.settings.stub:
        return None
    size = sum(locked[name].size for name in profile.better_needs)
    return (
        f"profile {profile.name}; {profile.better} would be better and needs {size / 1e6:.0f} MB more:"
        f" ./reel models fetch --profile {profile.better}"
    )
