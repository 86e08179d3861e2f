"""`reel runs list`, `show`, `log` and `report`: the history of runs, and the times, workers, logs and report of one."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from pipeline.base.display import counted, readable
from pipeline.base.display_paths import shown
from pipeline.base.errors import BadInput, UsageError
from pipeline.cli.arguments import CommandResult, history_of, megabytes, project_of, table
from pipeline.cli.options.declare import Arguments
from pipeline.cli.options.machine import ReportRun, ShowLog, ShowRun
from pipeline.publishing.named_file import NamedFile
from pipeline.publishing.record import JOB, read_job
from pipeline.publishing.run_report.gantt import SVG_START, as_svg, as_text, chart
from pipeline.publishing.run_report.html import GENERATOR
from pipeline.publishing.run_report.summary import StageFigures, Summary, WorkerFigures, summarise
from pipeline.store.history import RunDetails, RunRecord, StepRecord
from shared.text.timecode import span

# The list of runs needs no project and no report, which take 0.3 s: both are imported where they are used.
if TYPE_CHECKING:
    from pipeline.engine.project import Project
    from pipeline.model_cache.cache import ModelCache

_STATES = ("done", "reused", "failed")
_PIPE_WIDTH = 100
_FAILED_SHOWN = 20  # files; `reel runs report` names all


def list_runs(arguments: Arguments) -> CommandResult:
    """List the runs, newest first."""
    records = history_of(arguments).all()
    listed = [
        (run.id, run.state, _duration(run), run.recipe, run.profile, _item_counts(run.items), _names(run))
        for run in records
    ]
    head = ("RUN", "STATE", "TIME", "RECIPE", "PROFILE", "FILES", "NAMES")
    text = table(listed, head) if listed else "there are no runs yet"
    return CommandResult({"runs": [_run_data(run) for run in records]}, text)


def _duration(run: RunRecord) -> str:
    return "-" if run.seconds is None else span(run.seconds)


def _names(run: RunRecord) -> str:
    more = sum(run.items.values()) - len(run.media)
    return ", ".join(run.media) + (f" and {more} more" if more else "")


def _item_counts(items: Mapping[str, int]) -> str:
    """Return the number of media files by state: `2 done, 1 failed`."""
    states = [state for state in dict.fromkeys((*_STATES, *items)) if items.get(state)]
    return ", ".join(f"{items[state]} {state}" for state in states) or "-"


def _run_data(run: RunRecord) -> dict[str, JsonValue]:
    data: dict[str, JsonValue] = {**asdict(run), "media": list(run.media), "seconds": run.seconds}
    return data


def log(arguments: ShowLog) -> CommandResult:
    """Show the logs of a run: what the libraries of its stages printed."""
    runs = history_of(arguments)
    run = runs.details(arguments.id or "").run.id
    folder = runs.folder(run)
    logs = sorted(path for path in folder.glob("*.log") if not arguments.only or arguments.only in path.stem)
    if not logs:
        known = ", ".join(sorted(path.stem for path in folder.glob("*.log")))
        what = f"run {run} has no log of `{arguments.only}`" if arguments.only and known else f"run {run} has no logs"
        hint = f"it has those of {known}" if known else "a run that reused everything writes none; old ones are deleted"
        raise UsageError("runs.no-log", what, hint=hint)
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in logs}
    parts = [f"{shown(path)}\n{readable(text).rstrip() or '(empty)'}" for path, text in texts.items()]
    data: list[JsonValue] = [{"file": str(path), "text": text} for path, text in texts.items()]
    return CommandResult({"run": run, "logs": data}, "\n\n".join(parts))


def show(arguments: ShowRun) -> CommandResult:
    """Show one run, the newest if none is named."""
    project = project_of(arguments)
    runs = project.records().history
    details = runs.details(arguments.id or "")
    summary = summarise(details, runs.redone(details.run.id))
    drawn = chart(details)
    if arguments.svg:
        if drawn is None:
            raise UsageError("runs.no-workers", f"run {details.run.id} started no worker, so there is nothing to draw")
        picture = as_svg(drawn, f"reel run {details.run.id}").encode()
        NamedFile("runs.svg", Path(arguments.svg), "a chart", SVG_START).write(picture)
    parts = [_head(details, summary)]
    if arguments.steps:
        parts.append(
            table([_step_row(step) for step in details.steps], ("FILE", "STEP", "BACKEND", "STATE", "TIME", "RESULT"))
        )
    else:
        parts += [_stages(summary), *_workers(summary), *_cards(summary)]
        parts += _models(summary, project.installed.models)
        parts += [as_text(drawn, _width())] if drawn else []
    return CommandResult(_data(details, summary), "\n\n".join(part for part in parts if part))


def _head(details: RunDetails, summary: Summary) -> str:
    run = details.run
    took = f" in {span(summary.seconds)}" if summary.seconds is not None else ""
    lines = [f"run {run.id}: {run.state}{took}; recipe {run.recipe}, profile {run.profile}, started {run.started}"]
    files = sum(summary.items.values())
    items = [f"{counted(files, 'file')}: {_item_counts(summary.items)}"] if files else []
    failed = [f"{item.item}: {item.reason}" for item in details.items if item.state == "failed" and item.reason]
    more = [f"and {len(failed) - _FAILED_SHOWN} more"] if len(failed) > _FAILED_SHOWN else []
    return "\n".join([*lines, *items, *failed[:_FAILED_SHOWN], *more])


def _stages(summary: Summary) -> str:
    def row(figures: StageFigures) -> tuple[str, ...]:
        done = f"{figures.done} ({figures.redone} again)" if figures.redone else str(figures.done)
        mean = span(figures.seconds / figures.done) if figures.done and figures.seconds else "-"
        longest = f"{span(figures.longest_s)} {figures.longest_item}" if figures.longest_item else "-"
        return (
            figures.step,
            figures.backend,
            done,
            str(figures.reused),
            str(figures.failed),
            span(figures.seconds) if figures.seconds else "-",
            mean,
            longest,
        )

    head = ("STEP", "BACKEND", "DONE", "REUSED", "FAILED", "TIME", "EACH", "LONGEST")
    return table([row(figures) for figures in summary.stages], head)


def _workers(summary: Summary) -> list[str]:
    def row(figures: WorkerFigures) -> tuple[str, ...]:
        busy = f"{100 * figures.worked_s / figures.lived_s:.0f}%" if figures.lived_s else "-"
        memory = megabytes(round(figures.peak_memory_mb * 1e6)) if figures.peak_memory_mb else "-"
        memory += f" + {megabytes(round(figures.peak_gpu_memory_mb * 1e6))} GPU" if figures.peak_gpu_memory_mb else ""
        times = span(figures.lived_s), span(figures.loaded_s), busy
        return (
            f"{figures.worker} {figures.label}",
            figures.host,
            str(figures.jobs),
            *times,
            memory,
            figures.reason or "cut off",
        )

    head = ("WORKER", "HOST", "JOBS", "LIVED", "LOADED", "BUSY", "PEAK MEMORY", "ENDED")
    return [table([row(figures) for figures in summary.workers], head)] if summary.workers else []


def _cards(summary: Summary) -> list[str]:
    rows = [
        (
            card.name, card.host, f"{card.peak_mb / 1000:.1f} of {card.total_mb / 1000:.1f} GB",
            "-" if card.busy is None else f"{100 * card.busy:.0f}%",
        )
        for card in summary.cards
    ]  # fmt: skip
    return [table(rows, ("CARD", "HOST", "PEAK MEMORY", "BUSY"))] if rows else []


def _models(summary: Summary, models: ModelCache) -> list[str]:
    origin = models.overlay.origin
    rows = [(model.name, f"{model.loads}x", span(model.seconds), origin(model.name)) for model in summary.models]
    return [table(rows, ("MODEL", "LOADED", "IN", "LOCKED"))] if rows else []


def _step_row(step: StepRecord) -> tuple[str, ...]:
    seconds = span(step.seconds) if step.seconds is not None else "-"
    return step.item, step.step, step.backend, step.state, seconds, (step.key or "-")[:8]


def _data(details: RunDetails, summary: Summary) -> JsonValue:
    data: dict[str, JsonValue] = {"run": details.run.id}
    data |= {name: value for name, value in _run_data(details.run).items() if name not in {"id", "items", "media"}}
    data |= {name: [asdict(row) for row in rows] for name, rows in (("items", details.items), ("steps", details.steps))}
    data |= {"workers": [asdict(row) for row in details.workers]}
    data |= {"loads": [{**asdict(row), "models": list(row.models)} for row in details.loads]}
    figures: dict[str, JsonValue] = asdict(summary)
    return {**data, "summary": figures}


def _width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPE_WIDTH


def report(arguments: ReportRun) -> CommandResult:
    """Write the report on a run, the newest if none is named, or on the job in a folder."""
    project = project_of(arguments)
    target = NamedFile("runs.report", Path(arguments.output), "a report", GENERATOR) if arguments.output else None
    if target is None and sys.stdout.isatty() and not arguments.json:
        raise UsageError(
            "runs.report-where", "a report is a web page, and no file is named for it", hint="add `-o report.html`"
        )
    if target:
        target.check()
    page_folder = (target.path.parent if target else Path()).absolute()
    what = arguments.what or ""
    content = (
        _job_report(project, Path(what), page_folder) if _is_path(what) else _run_report(project, what, page_folder)
    )
    if target is None:
        return CommandResult({"html": content.decode()}, content.decode().rstrip("\n"))
    target.write(content)
    return CommandResult({"file": str(target.path), "bytes": len(content)}, shown(target.path))


def _is_path(what: str) -> bool:
    """Tell whether the argument names a folder, and not a run."""
    return bool(what) and (Path(what).is_dir() or os.sep in what or "/" in what)


def _run_report(project: Project, name: str, page_folder: Path) -> bytes:
    from pipeline.publishing.run_report.job_facts import Materials
    from pipeline.publishing.run_report.run_page import links_between_files, run_report

    records = project.records()
    details = records.history.details(name)
    materials = Materials(project.store, project.installed.models)
    links = links_between_files(page_folder)
    return run_report(details, records.history.redone(details.run.id), materials, links).encode()


def _job_report(project: Project, folder: Path, page_folder: Path) -> bytes:
    from pipeline.publishing.run_report.job_facts import Materials
    from pipeline.publishing.run_report.published import report_of

    job = read_job(folder)
    if job is None:
        what = "is not there" if not folder.exists() else f"holds no {JOB} of reel's"
        raise BadInput(
            "runs.no-job", f"{shown(folder)} {what}, expected the folder of a published job",
            hint="name a folder that a run printed, or a run that `./reel runs list` shows",
        )  # fmt: skip
    materials = Materials(project.store, project.installed.models)
    return report_of(job, materials.results_of(job), materials, folder.absolute(), page_folder)
