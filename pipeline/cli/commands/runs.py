"""`reel runs list` and `show`: the history of runs, and the steps, times, workers and resource use of one."""

from __future__ import annotations

import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from pydantic import JsonValue

from pipeline.base.errors import BadInput, UsageError
from pipeline.cli.arguments import CommandResult, megabytes, project_of, table
from pipeline.cli.options.declare import Arguments
from pipeline.cli.options.machine import ShowRun
from pipeline.cli.run_report.gantt import as_svg, as_text, chart
from pipeline.cli.run_report.summary import StageFigures, Summary, WorkerFigures, summarise
from pipeline.model_cache.cache import ModelCache
from pipeline.store.history import RunDetails, StepRecord
from shared.files import write_atomically
from shared.text.timecode import span

_STATES = ("done", "reused", "failed")
_PIPE_WIDTH = 100


def list_runs(arguments: Arguments) -> CommandResult:
    """List the runs, newest first."""
    project = project_of(arguments)
    records = project.records().history.all()
    listed = [(run.id, run.state, run.recipe, run.profile, run.started) for run in records]
    text = table(listed, ("RUN", "STATE", "RECIPE", "PROFILE", "STARTED")) if listed else "there are no runs yet"
    return CommandResult({"runs": [asdict(run) for run in records]}, text)


def show(arguments: ShowRun) -> CommandResult:
    """Show one run, the newest if none is named."""
    project = project_of(arguments)
    runs = project.records().history
    newest = next(iter(runs.all()), None)
    if newest is None and not arguments.id:
        raise UsageError("runs.none", "there are no runs yet")
    details = runs.details(arguments.id or (newest.id if newest else ""))
    summary = summarise(details, runs.redone(details.run.id))
    drawn = chart(details)
    if arguments.svg:
        if drawn is None:
            raise UsageError("runs.no-workers", f"run {details.run.id} started no worker, so there is nothing to draw")
        _write(Path(arguments.svg), as_svg(drawn, f"reel run {details.run.id}"))
    parts = [_head(details, summary)]
    if arguments.steps:
        parts.append(
            table([_step(step) for step in details.steps], ("FILE", "STEP", "BACKEND", "STATE", "TIME", "RESULT"))
        )
    else:
        parts += [_stages(summary), *_workers(summary), *_models(summary, project.installed.models)]
        parts += [as_text(drawn, _width())] if drawn else []
    return CommandResult(_data(details, summary), "\n\n".join(part for part in parts if part))


def _head(details: RunDetails, summary: Summary) -> str:
    run = details.run
    took = f" in {span(summary.seconds)}" if summary.seconds is not None else ""
    lines = [f"run {run.id}: {run.state}{took}; recipe {run.recipe}, profile {run.profile}, started {run.started}"]
    states = [state for state in (*_STATES, *summary.items) if summary.items.get(state)]
    counts = ", ".join(f"{summary.items[state]} {state}" for state in dict.fromkeys(states))
    return "\n".join([*lines, f"{sum(summary.items.values())} media: {counts}"] if counts else lines)


def _stages(summary: Summary) -> str:
    def row(one: StageFigures) -> tuple[str, ...]:
        done = f"{one.done} ({one.redone} again)" if one.redone else str(one.done)
        mean = span(one.seconds / one.done) if one.done and one.seconds else "-"
        longest = f"{span(one.longest_s)} {one.longest_item}" if one.longest_item else "-"
        return (
            one.step,
            one.backend,
            done,
            str(one.reused),
            str(one.failed),
            span(one.seconds) if one.seconds else "-",
            mean,
            longest,
        )

    return table(
        [row(one) for one in summary.stages], ("STEP", "BACKEND", "DONE", "REUSED", "FAILED", "TIME", "EACH", "LONGEST")
    )


def _workers(summary: Summary) -> list[str]:
    def row(one: WorkerFigures) -> tuple[str, ...]:
        busy = f"{100 * one.worked_s / one.lived_s:.0f}%" if one.lived_s else "-"
        memory = megabytes(round(one.peak_memory_mb * 1e6)) if one.peak_memory_mb else "-"
        memory += f" + {megabytes(round(one.peak_gpu_memory_mb * 1e6))} GPU" if one.peak_gpu_memory_mb else ""
        times = span(one.lived_s), span(one.loaded_s), busy
        return f"{one.worker} {one.label}", one.host, str(one.jobs), *times, memory, one.reason or "cut off"

    head = ("WORKER", "HOST", "JOBS", "LIVED", "LOADED", "BUSY", "PEAK MEMORY", "ENDED")
    return [table([row(one) for one in summary.workers], head)] if summary.workers else []


def _models(summary: Summary, models: ModelCache) -> list[str]:
    origin = models.overlay.origin
    rows = [(one.name, f"{one.loads}x", span(one.seconds), origin(one.name)) for one in summary.models]
    return [table(rows, ("MODEL", "LOADED", "IN", "LOCKED"))] if rows else []


def _step(step: StepRecord) -> tuple[str, ...]:
    seconds = span(step.seconds) if step.seconds is not None else "-"
    return step.item, step.step, step.backend, step.state, seconds, (step.key or "-")[:8]


def _data(details: RunDetails, summary: Summary) -> JsonValue:
    data: dict[str, JsonValue] = {"run": details.run.id}
    data |= {name: value for name, value in asdict(details.run).items() if name != "id"}
    data |= {name: [asdict(row) for row in rows] for name, rows in (("items", details.items), ("steps", details.steps))}
    data |= {"workers": [asdict(row) for row in details.workers]}
    data |= {"loads": [{**asdict(row), "models": list(row.models)} for row in details.loads]}
    figures: dict[str, JsonValue] = asdict(summary)
    return {**data, "summary": figures}


def _write(file: Path, text: str) -> None:
    try:
        write_atomically(file, text.encode())
    except OSError as error:
        raise BadInput("runs.svg", f"{file} cannot be written: {error.strerror or error}") from error


def _width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPE_WIDTH
