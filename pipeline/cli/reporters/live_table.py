"""A run on a terminal: the files in progress, their steps, and the workers with their use, drawn a few times a second.

Finished steps and files stay as lines above the table. Before a run begins, and in commands without one, there are only
bars."""

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
from pipeline.cli.reporters.run_state import OVER, Board, Cell, ItemAtWork, WorkerAtWork, kind_of
from shared.text.timecode import span

Row = TypeVar("Row")

_DRAWN_PER_S = 3
_ROOM_TO_READ = 10  # lines of a terminal that has one for what is heard
_LEAST_NAME, _MOST_NAME = 12, 40
_CELL = 5  # `100%`, `reuse`, and a space before the next
_OF_STEPS = (events.ItemStarted, events.StepStarted, events.StepReused, events.StepDone, events.StepSkipped)
_WORDS = {"ahead": (".", "dim"), "waits": ("wait", "yellow"), "done": ("ok", "green"), "reused": ("same", "dim"),
          "failed": ("FAIL", "bold red"), "skipped": ("-", "dim")}  # fmt: skip


class LiveTable:
    """Take events and draw them. Rich draws in its own thread, so a lock guards the state."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(file=unguarded(sys.stderr))
        self._bars = Bars(self._console)
        self._board: Board | None = None
        self._headings = Headings()
        self._lock = threading.Lock()
        self._live = Live(
            console=self._console, get_renderable=self.drawn, refresh_per_second=_DRAWN_PER_S, transient=True,
            redirect_stdout=False,  # it may be a pipe, with a reader of its own
        )  # fmt: skip

    def __enter__(self) -> LiveTable:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._board = None  # the display ends empty, without a last drawing
        self._live.stop()

    def emit(self, event: Event) -> None:
        """Update the state with the event, and print the lines that stay."""
        with self._lock:
            if isinstance(event, events.RunStarted):
                self._board = Board()
            board = self._board
            if board is not None:
                board.hear(event, time.monotonic())
        if board is None or isinstance(event, events.OfSetUp):
            self._bars.emit(event)
        elif (line := self._line(event, board.total)) is not None:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def drawn(self) -> RenderableType:
        """Return the bars of the set-up with the table below them."""
        with self._lock:
            board = self._board
            if board is None:
                return self._bars.drawn()
            size = self._console.size
            return Group(self._bars.drawn(), draw(board, size.width, size.height, time.monotonic()))

    def _line(self, event: Event, total: int | None) -> str | None:
        """Return the line for an event. With one file every step gets a line; with many, each file's end and each
        error."""
        if total != 1 and isinstance(event, _OF_STEPS):
            return None
        line = line_of(event)
        return line if line is None else self._headings.above(event, line)


def draw(board: Board, width: int, height: int, now: float) -> RenderableType:
    """Return the board in at most `height` lines of `width` columns."""
    last_heard = [_heard(board, board.heard)] if board.heard and height >= _ROOM_TO_READ else []
    # Without the headline, and two lines that the terminal needs: the one above, and the prompt.
    room = max(height - 3 - len(last_heard), 1)
    workers = list(board.workers.values())
    worker_lines = min(len(workers) + 1, max(room // 3, 2)) if workers and room >= 5 else 0
    item_lines = max(room - worker_lines, 1)
    parts: list[RenderableType] = [_headline(board, now)]
    if board.items and item_lines >= 2:
        parts.append(_items(board, width, item_lines, now))
    parts += last_heard
    if worker_lines:
        parts.append(_workers(board, workers, width, worker_lines, now))
    return Group(*parts)


def _heard(board: Board, heard: tuple[str, str]) -> Text:
    """Return the text that came last, with its file where several are at work."""
    item, text = heard
    of = f"{item}: " if len(board.items) > 1 else ""
    return Text(f"{of}{text}", style="italic", no_wrap=True, overflow="ellipsis")


def _headline(board: Board, now: float) -> Text:
    counts = [f"{many} {state}" for state, many in sorted(board.finished.items())]
    of = f" of {board.total}" if board.total is not None else ""
    parts = [f"{board.finished.total()}{of} files finished", *counts]
    if rate := board.rate(now):
        parts.append(f"{rate:.1f}x real time")
    left = board.left_s(now)
    if left is not None and board.finished.total() != board.total:
        parts.append(f"about {span(left)} left")
    if waits := board.waiting().most_common(2):
        parts.append("waiting for " + ", ".join(f"{what} ({many})" for what, many in waits))
    return Text("; ".join(parts), style="bold", no_wrap=True, overflow="ellipsis")


def _items(board: Board, width: int, lines: int, now: float) -> Table:
    """Return a row for each file, with a column for each kind of step if they fit."""
    shown = _first(list(board.items.values()), lines - 1, _is_running)
    if (more := len(board.items) - len(shown)) > 0:
        shown, more = shown[:-1], more + 1
    kinds = list(dict.fromkeys(kind_of(step) for item in board.items.values() for step in item.cells))
    wanted = max((len(item.name) for item in shown), default=0)
    name_width = min(max(wanted, _LEAST_NAME), _MOST_NAME)
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
            grid.add_row(item.name, *(_of_kind(item, kind, now) for kind in kinds))
    else:
        grid.add_column("STEPS", no_wrap=True, overflow="ellipsis")
        for item in shown:
            grid.add_row(item.name, _in_words(item, now))
    if more > 0:
        grid.add_row(Text(f"and {more} more", style="dim"))
    return grid


def _of_kind(item: ItemAtWork, kind: str, now: float) -> Text:
    """Return the cell of a file and a kind of step. Of several steps it shows the one that matters most now."""
    cells = [cell for step, cell in item.cells.items() if kind_of(step) == kind]
    if not cells:
        return Text("")
    for state in ("failed", "runs", "waits"):
        for cell in cells:
            if cell.state == state:
                return _cell(cell, now)
    over = sum(cell.state in OVER for cell in cells)
    return Text(f"{over}/{len(cells)}") if 0 < over < len(cells) else _cell(cells[0], now)


def _cell(cell: Cell, now: float) -> Text:
    if cell.state == "runs":
        return Text(f"{cell.done:.0%}" if cell.done else span(now - cell.since), style="cyan")
    word, style = _WORDS[cell.state]
    return Text(word, style=style)


def _in_words(item: ItemAtWork, now: float) -> Text:
    """Return `5/9 asr 45%, diarize waits`, for a terminal without room for columns."""
    over = sum(cell.state in OVER for cell in item.cells.values())
    text = Text(f"{over}/{len(item.cells)}")
    for step, cell in item.cells.items():
        if cell.state in {"runs", "waits", "failed"}:
            text.append_text(Text(f" {step} ")).append_text(_cell(cell, now))
    return text


def _first(rows: Sequence[Row], lines: int, matters: Callable[[Row], bool]) -> list[Row]:
    """Return as many rows as there are lines for, those that matter first, in their own order: a row that jumps cannot
    be read."""
    kept = sorted(range(len(rows)), key=lambda number: (not matters(rows[number]), number))[:lines]
    return [rows[number] for number in sorted(kept)]


def _is_running(item: ItemAtWork) -> bool:
    return any(cell.state == "runs" for cell in item.cells.values())


def _workers(board: Board, workers: Sequence[WorkerAtWork], width: int, lines: int, now: float) -> Table:
    """Return a row for each worker: its use of the machine, and its current step."""
    shown = _first(workers, lines - 1, lambda worker: worker.job is not None)
    gpu, many_hosts = any(worker.gpu_memory_mb for worker in workers), len({worker.host for worker in workers}) > 1
    name_width = max(min(max(len(_called(worker, many_hosts)) for worker in shown), width // 3), 6)
    grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim", show_edge=False)
    grid.add_column("WORKER", width=name_width, no_wrap=True, overflow="ellipsis")
    grid.add_column("CORES", justify="right", width=5)
    grid.add_column("MEMORY", justify="right", width=7, no_wrap=True)
    if gpu:
        grid.add_column("GPU", justify="right", width=7, no_wrap=True)
    grid.add_column("DOES", no_wrap=True, overflow="ellipsis")
    for worker in shown:
        taken = [_amount(worker.memory_mb), *([_amount(worker.gpu_memory_mb or 0.0)] if gpu else [])]
        grid.add_row(_called(worker, many_hosts), f"{worker.cores:.1f}", *taken, _does(board, worker, now))
    return grid


def _called(worker: WorkerAtWork, many_hosts: bool) -> str:
    return f"{worker.name} {worker.label}{f' on {worker.host}' if many_hosts else ''}"


def _amount(megabytes: float) -> str:
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB" if megabytes else "-"


def _does(board: Board, worker: WorkerAtWork, now: float) -> str:
    if worker.job is None:
        return "waits" if worker.loaded else "starts"
    name, step = worker.job
    item = board.items.get(name)
    rate = item.rate(step, now) if item and step in item.cells else None
    return f"{step} of {name}{f', {rate:.1f}x' if rate else ''}"
