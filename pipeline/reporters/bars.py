"""Bars on a terminal: one for each step at work, with its rate against real time and the time left."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from pipeline import events
from pipeline.events import Event
from pipeline.reporters.plain import line_of


class Bars:
    """Finished steps stay as lines above; what is at work has a bar below them."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._bars: dict[tuple[str, str], TaskID] = {}
        self._started: dict[tuple[str, str], tuple[float, int | None]] = {}

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def emit(self, event: Event) -> None:
        """Move, add or end a bar, and print what is to stay."""
        match event:
            case events.SetupStarted(what, size):
                self._add(("", what), f"setting up {what}", size, None)
            case events.SetupProgress(what, done, total, file):
                self._move(("", what), done, total, f"setting up {what}{f': {file}' if file else ''}")
            case events.SetupFinished(what):
                self._end(("", what))
                self._print(event)
            case events.CheckStarted(size):
                self._add(("", "check"), "checking", size, None)
            case events.CheckProgress(done, total):
                self._move(("", "check"), done, total)
            case events.CheckFinished():
                self._end(("", "check"))
                self._print(event)
            case events.StepStarted(item, step, backend, _, media_ms):
                self._add((item, step), f"{step} ({backend})", 1.0, media_ms)
            case events.StepProgress(item, step, done):
                self._move((item, step), done, 1.0)
            case events.StepDone(item, step) | events.StepFailedEvent(item, step):
                self._end((item, step))
                self._print(event)
            case _:
                self._print(event)

    def _print(self, event: Event) -> None:
        if (line := line_of(event)) is not None:
            self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _add(self, key: tuple[str, str], label: str, total: float | None, media_ms: int | None) -> None:
        self._started[key] = time.monotonic(), media_ms
        self._bars[key] = self._progress.add_task(label, total=total, rate="")

    def _move(self, key: tuple[str, str], done: float, total: float, label: str | None = None) -> None:
        if key not in self._bars:
            return
        began, media_ms = self._started[key]
        seconds = max(time.monotonic() - began, 0.001)
        if media_ms:
            rate = f"{media_ms / 1000 * done / seconds:.1f}x"
        else:
            rate = f"{done / 1e6 / seconds:.1f} MB/s" if total > 1 else ""
        self._progress.update(self._bars[key], completed=done, total=total, rate=rate, description=label)

    def _end(self, key: tuple[str, str]) -> None:
        if key in self._bars:
            self._progress.remove_task(self._bars.pop(key))
