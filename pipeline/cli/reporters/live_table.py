"""Shows a run on a terminal: a table of the active files with their steps, and of the workers with the resources that
they use, drawn a few times a second.

Finished steps and files stay as lines above the table. Before a run begins, and in commands without one, there are only
bars.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TypeVar

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.base import events
from pipeline.base.display import unguarded
from pipeline.base.events import Event
from pipeline.cli.reporters.plain_lines import Headings, line_of
from pipeline.cli.reporters.progress_bars import Bars
from pipeline.cli.reporters.run_state import OVER, ActiveItem, ActiveWorker, RunState, StepState, step_kind
from shared.text.timecode import span

Row = TypeVar("Row")

_DRAWN_PER_S = 3
_TEXT_HEIGHT = 10  # lines of the smallest terminal on which recognised text gets one
_LEAST_NAME, _MOST_NAME = 12, 40
_CELL = 5  # columns: `100%`, and a space before the next
_STEP_EVENTS = (events.ItemStarted, events.StepStarted, events.StepReused, events.StepDone, events.StepSkipped)
_WORDS = {"ahead": (".", "dim"), "waits": ("wait", "yellow"), "done": ("ok", "green"), "reused": ("same", "dim"),
          "failed": ("FAIL", "bold red"), "skipped": ("-", "dim")}  # fmt: skip


class LiveTable:
    """Draws a run from its events. Rich draws in its own thread, so a lock guards the state."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(file=unguarded(sys.stderr))
        self._bars = Bars(self._console)
        self._run: RunState | None = None
        self._headings = Headings()
        self._lock = threading.Lock()
        self._live = Live(
            console=self._console, get_renderable=self.drawn, refresh_per_second=_DRAWN_PER_S, transient=True,
            redirect_stdout=False,  # stdout may be a pipe to another program
        )  # fmt: skip

    def __enter__(self) -> LiveTable:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._run = None  # the last drawing is empty
        self._live.stop()

    def emit(self, event: Event) -> None:
        """Update the state with the event, and print the lines that stay."""
        with self._lock:
            if isinstance(event, events.RunStarted):
                self._run = RunState()
            run = self._run
            if run is not None:
                run.apply(event, time.monotonic())
        if run is None or isinstance(event, events.SetupEvent):
            self._bars.emit(event)
        elif (line := self._line(event, run.total)) is not None:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def drawn(self) -> RenderableType:
        """Return the bars of the set-up, with the table below them once a run has begun."""
        with self._lock:
            run = self._run
            if run is None:
                return self._bars.drawn()
            size = self._console.size
            return Group(self._bars.drawn(), draw(run, size.width, size.height, time.monotonic()))

    def _line(self, event: Event, total: int | None) -> str | None:
        """Return the line that stays for an event. With one file, every step has one; with many, only the end of each
        file and each error."""
        if total != 1 and isinstance(event, _STEP_EVENTS):
            return None
        line = line_of(event)
        return line if line is None else self._headings.above(event, line)


def draw(run: RunState, width: int, height: int, now: float) -> RenderableType:
    """Draw a run in at most `height` lines of `width` columns."""
    last_text = [_last_text(run, *run.last_text)] if run.last_text and height >= _TEXT_HEIGHT else []
    # Without the headline, and without two lines that the terminal needs: the one above, and the prompt.
    room = max(height - 3 - len(last_text), 1)
    workers = list(run.workers.values())
    worker_lines = min(len(workers) + 1, max(room // 3, 2)) if workers and room >= 5 else 0
    item_lines = max(room - worker_lines, 1)
    parts: list[RenderableType] = [_headline(run, now)]
    if run.items and item_lines >= 2:
        parts.append(_items(run, width, item_lines, now))
    parts += last_text
    if worker_lines:
        parts.append(_workers(run, workers, width, worker_lines, now))
    return Group(*parts)


def _last_text(run: RunState, item: str, text: str) -> Text:
    """Draw the newest recognised text, with the name of its file if several are active."""
    name = f"{item}: " if len(run.items) > 1 else ""
    return Text(f"{name}{text}", style="italic", no_wrap=True, overflow="ellipsis")


def _headline(run: RunState, now: float) -> Text:
    counts = [f"{count} {state}" for state, count in sorted(run.finished.items())]
    of_total = f" of {run.total}" if run.total is not None else ""
    parts = [f"{run.finished.total()}{of_total} files finished", *counts]
    if rate := run.rate(now):
        parts.append(f"{rate:.1f}x real time")
    left = run.left_s(now)
    if left is not None and run.finished.total() != run.total:
        parts.append(f"about {span(left)} left")
    if waits := run.waiting().most_common(2):
        parts.append("waiting for " + ", ".join(f"{what} ({count})" for what, count in waits))
    return Text("; ".join(parts), style="bold", no_wrap=True, overflow="ellipsis")


def _items(run: RunState, width: int, lines: int, now: float) -> Table:
    """Draw a row for each file, with a column for each kind of step if the columns fit."""
    shown = _selected(list(run.items.values()), lines - 1, _is_running)
    if (more := len(run.items) - len(shown)) > 0:
        shown, more = shown[:-1], more + 1
    kinds = list(dict.fromkeys(step_kind(step) for item in run.items.values() for step in item.steps))
    longest = max((len(item.name) for item in shown), default=0)
    name_width = min(max(longest, _LEAST_NAME), _MOST_NAME)
    wide = name_width + 1 + sum(max(len(kind), _CELL) + 1 for kind in kinds) <= width
    narrow = not wide and _LEAST_NAME + 1 + len(kinds) * (_CELL + 1) <= width
    grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim", show_edge=False)
    if not wide:
        name_width = max(min(name_width, width - 1 - len(kinds) * (_CELL + 1)) if narrow else width // 3, 4)
    grid.add_column("FILE", width=name_width, no_wrap=True, overflow="ellipsis")
    if wide or narrow:
        for kind in kinds:
            grid.add_column(
                kind if wide else kind[:_CELL], width=max(len(kind), _CELL) if wide else _CELL, no_wrap=True
            )
        for item in shown:
            grid.add_row(item.name, *(_kind_cell(item, kind, now) for kind in kinds))
    else:
        grid.add_column("STEPS", no_wrap=True, overflow="ellipsis")
        for item in shown:
            grid.add_row(item.name, _one_line_progress(item, now))
    if more > 0:
        grid.add_row(Text(f"and {more} more", style="dim"))
    return grid


def _kind_cell(item: ActiveItem, kind: str, now: float) -> Text:
    """Draw the steps of one kind of a file in one cell: the one that matters most now."""
    steps = [state for step, state in item.steps.items() if step_kind(step) == kind]
    if not steps:
        return Text("")
    for name in ("failed", "runs", "waits"):
        for step in steps:
            if step.state == name:
                return _cell(step, now)
    over = sum(step.state in OVER for step in steps)
    return Text(f"{over}/{len(steps)}") if 0 < over < len(steps) else _cell(steps[0], now)


def _cell(step: StepState, now: float) -> Text:
    if step.state == "runs":
        return Text(f"{step.done:.0%}" if step.done else span(now - step.since), style="cyan")
    word, style = _WORDS[step.state]
    return Text(word, style=style)


def _one_line_progress(item: ActiveItem, now: float) -> Text:
    """Draw `5/9 asr 45%, diarize waits`, for a terminal without room for columns."""
    over = sum(state.state in OVER for state in item.steps.values())
    text = Text(f"{over}/{len(item.steps)}")
    for step, state in item.steps.items():
        if state.state in {"runs", "waits", "failed"}:
            text.append_text(Text(f" {step} ")).append_text(_cell(state, now))
    return text


def _selected(rows: Sequence[Row], lines: int, is_important: Callable[[Row], bool]) -> list[Row]:
    """Return as many rows as fit, important ones before others. They keep their order: a row that moves is hard to
    read."""
    kept = sorted(range(len(rows)), key=lambda number: (not is_important(rows[number]), number))[:lines]
    return [rows[number] for number in sorted(kept)]


def _is_running(item: ActiveItem) -> bool:
    return any(state.state == "runs" for state in item.steps.values())


def _workers(run: RunState, workers: Sequence[ActiveWorker], width: int, lines: int, now: float) -> Table:
    """Draw a row for each worker: the resources that it uses, and its current step."""
    shown = _selected(workers, lines - 1, lambda worker: worker.job is not None)
    gpu, many_hosts = any(worker.gpu_memory_mb for worker in workers), len({worker.host for worker in workers}) > 1
    name_width = max(min(max(len(_worker_name(worker, many_hosts)) for worker in shown), width // 3), 6)
    grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim", show_edge=False)
    grid.add_column("WORKER", width=name_width, no_wrap=True, overflow="ellipsis")
    grid.add_column("CORES", justify="right", width=5)
    grid.add_column("MEMORY", justify="right", width=7, no_wrap=True)
    if gpu:
        grid.add_column("GPU", justify="right", width=7, no_wrap=True)
    grid.add_column("DOES", no_wrap=True, overflow="ellipsis")
    for worker in shown:
        memory = [_amount(worker.memory_mb), *([_amount(worker.gpu_memory_mb or 0.0)] if gpu else [])]
        grid.add_row(
            _worker_name(worker, many_hosts), f"{worker.cores:.1f}", *memory, _worker_activity(run, worker, now)
        )
    return grid


def _worker_name(worker: ActiveWorker, many_hosts: bool) -> str:
    return f"{worker.name} {worker.label}{f' on {worker.host}' if many_hosts else ''}"


def _amount(megabytes: float) -> str:
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB" if megabytes else "-"


def _worker_activity(run: RunState, worker: ActiveWorker, now: float) -> str:
    if worker.job is None:
        return "waits" if worker.loaded else "starts"
    name, step = worker.job
    item = run.items.get(name)
    rate = item.rate(step, now) if item and step in item.steps else None
    return f"{step} of {name}{f', {rate:.1f}x' if rate else ''}"
