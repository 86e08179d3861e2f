"""Progress bars on a terminal: one for each running step, with its speed against real time and the time left, and one
for each download, with its rate and the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from pipeline.base import events
from pipeline.base.display import unguarded
from pipeline.base.events import Event
from pipeline.cli.reporters.plain_lines import Headings, line_of
from pipeline.cli.reporters.transfer_rate import TransferRate
from shared.text.timecode import span


class _RateColumn(ProgressColumn):
    """The rate of a transfer, or the speed of a step. Rich draws it several times a second, so it shows a stalled
    transfer without an event."""

    max_refresh = None

    def render(self, task: Task) -> Text:
        transfer = task.fields["transfer"]
        if isinstance(transfer, TransferRate):
            return Text(transfer.text())
        left = f" {span(task.time_remaining)} left" if task.time_remaining is not None else ""
        return Text(f"{task.fields['speed']}{left}")


class Bars:
    """Prints finished steps as lines, and shows a bar below them for each one in progress."""

    def __init__(self, console: Console | None = None) -> None:
        self._progress = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f}%"),
            _RateColumn(),
            console=console or Console(file=unguarded(sys.stderr)),
            transient=True,
        )
        self._headings = Headings()
        self._bars: dict[tuple[str, str], TaskID] = {}
        self._transfers: dict[tuple[str, str], TransferRate] = {}
        self._started: dict[tuple[str, str], tuple[float, int | None]] = {}

    @property
    def tasks(self) -> Sequence[Task]:
        """Return the bars that are shown."""
        return self._progress.tasks

    def drawn(self) -> RenderableType:
        """Return the bars as they look now."""
        return self._progress.get_renderable()

    def emit(self, event: Event) -> None:
        """Add, move or remove a bar, and print the line that stays."""
        match event:
            case events.SetupStarted(what, size):
                self._add(("", what), f"setting up {what}", size, None, TransferRate(0, size) if size else None)
            case events.SetupProgress(what, done, total):
                self._move(("", what), done, total)
            case events.FileStarted(what, file, done, total):
                self._add((what, file), f"  {file}", total, None, TransferRate(done, total), done)
            case events.FileProgress(what, file, done, total):
                self._move((what, file), done, total)
            case events.PackageStarted(what, package, size):
                self._add((what, package), f"  {package} ({size / 1e6:.0f} MB)", None, None)
            case events.FileEnded(what, file):
                self._end((what, file))
                self._print(event)
            case events.SetupFinished(what) | events.SetupFailed(what):
                self._end(("", what))
                self._print(event)
            case events.CheckStarted(size):
                self._add(("", "check"), "checking", size, None, TransferRate(0, size))
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
            text = self._headings.above(event, line)
            self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _add(
        self,
        key: tuple[str, str],
        label: str,
        total: float | None,
        media_ms: int | None,
        transfer: TransferRate | None = None,
        done: float = 0,
    ) -> None:
        self._end(key)  # a bar of the same name whose work ended without an event
        self._started[key] = time.monotonic(), media_ms
        if transfer:
            self._transfers[key] = transfer
        self._bars[key] = self._progress.add_task(label, total=total, completed=int(done), speed="", transfer=transfer)

    def _move(self, key: tuple[str, str], done: float, total: float) -> None:
        if key not in self._bars:
            return
        began, media_ms = self._started[key]
        seconds = max(time.monotonic() - began, 0.001)
        speed = f"{media_ms / 1000 * done / seconds:.1f}x" if media_ms else ""
        if transfer := self._transfers.get(key):
            transfer.update(int(done))
        self._progress.update(self._bars[key], completed=done, total=total, speed=speed)

    def _end(self, key: tuple[str, str]) -> None:
        self._transfers.pop(key, None)
        if key in self._bars:
            self._progress.remove_task(self._bars.pop(key))
