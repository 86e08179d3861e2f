"""The state of a run, gathered from its events: the step of each file, the work of each worker, the pace.

It holds the files at work only, however many there are in all. Times are seconds of a clock that never goes back.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from pipeline.base import events
from pipeline.base.events import Event

CellState = Literal["ahead", "waits", "runs", "done", "reused", "failed", "skipped"]
OVER: frozenset[CellState] = frozenset({"done", "reused", "failed", "skipped"})


@dataclass
class Cell:
    """One step of one file: the start of its state, its progress, and what it waits for."""

    state: CellState = "ahead"
    since: float = 0.0
    done: float = 0.0
    waits_for: str = ""


@dataclass
class ItemAtWork:
    """A file that is not finished. `media_ms` is its length, once that is known."""

    name: str
    cells: dict[str, Cell]
    media_ms: int | None = None

    def rate(self, step: str, now: float) -> float | None:
        """Return the speed of a running step against real time; None before its first progress report."""
        cell = self.cells[step]
        seconds = now - cell.since
        return self.media_ms / 1000 * cell.done / seconds if self.media_ms and cell.done and seconds > 0 else None


@dataclass
class WorkerAtWork:
    """A running worker. `job` is the file and the step that it works on."""

    name: str
    label: str
    host: str
    loaded: bool = False
    cores: float = 0.0
    memory_mb: float = 0.0
    gpu_memory_mb: float | None = None
    job: tuple[str, str] | None = None


@dataclass
class _Kind:
    """Statistics of one kind of step: how often it had to run, and how long that took."""

    run: int = 0
    reused: int = 0
    seconds: float = 0.0

    @property
    def expected_s(self) -> float:
        """Return the seconds that one more file will take, reuse considered."""
        return self.seconds / (self.run + self.reused) if self.run else 0.0


@dataclass
class Board:
    """The state of one run. `total` is the number of files; None while it is not known."""

    total: int | None = None
    items: dict[str, ItemAtWork] = field(default_factory=dict)
    workers: dict[str, WorkerAtWork] = field(default_factory=dict)
    finished: Counter[str] = field(default_factory=Counter)
    heard: tuple[str, str] | None = None  # the file and the text that came last, until the step is done
    _began: float | None = None  # when the first step was computed, not reused
    _media_s: float = 0.0  # length of the files that were computed and are done
    _kinds: dict[str, _Kind] = field(default_factory=dict)

    def hear(self, event: Event, now: float) -> None:
        """Update the state with an event."""
        match event:
            case events.RunStarted(_, total):
                self.total = total
            case events.ItemStarted(item, _, _, plan):
                self.items[item] = ItemAtWork(item, {step: Cell() for step in plan})
            case events.ItemFinished(item, state):
                self.finished[state] += 1
                gone = self.items.pop(item, None)
                if gone and state == "done":
                    self._media_s += (gone.media_ms or 0) / 1000
            case events.StepWaiting(item, step, what):
                self._set(item, step, "waits", now, waits_for=what)
            case events.StepStarted(item, step, _, _, media_ms, worker):
                self._began = now if self._began is None else self._began
                self._length(item, media_ms)
                self._set(item, step, "runs", now)
                if worker in self.workers:
                    self.workers[worker].job = (item, step)
            case events.StepProgress(item, step, done):
                if cell := self._cell(item, step):
                    cell.done = done
            case events.StepPartial(item, _, _, _, text):
                self.heard = (item, " ".join(text.split()))
            case events.StepDone(item, step, _, _, _, media_ms):
                self._length(item, media_ms)
                cell = self._cell(item, step)
                kind = self._kind(step)
                kind.run, kind.seconds = kind.run + 1, kind.seconds + (now - cell.since if cell else 0.0)
                self._set(item, step, "done", now)
            case events.StepReused(item, step):
                self._kind(step).reused += 1
                self._set(item, step, "reused", now)
            case events.StepFailedEvent(item, step):
                self._set(item, step, "failed", now)
            case events.StepSkipped(item, step):
                self._set(item, step, "skipped", now)
            case events.WorkerStarted(worker, label, host):
                self.workers[worker] = WorkerAtWork(worker, label, host)
            case events.WorkerLoaded(worker) if worker in self.workers:
                self.workers[worker].loaded = True
            case events.WorkerMeasured(worker, cores, memory_mb, gpu_mb) if worker in self.workers:
                at = self.workers[worker]
                at.cores, at.memory_mb, at.gpu_memory_mb = cores, memory_mb, gpu_mb
            case events.WorkerEnded(worker):
                self.workers.pop(worker, None)
            case _:
                pass

    def rate(self, now: float) -> float | None:
        """Return the speed of finished files against real time; None before the first one."""
        if not self._media_s or self._began is None or now <= self._began:
            return None
        return self._media_s / (now - self._began)

    def left_s(self, now: float) -> float | None:
        """Return the time that the rest will take at the pace so far; None before the first file is finished, and where
        more files may come."""
        if self.total is None or self._began is None or not self.finished["done"]:
            return None
        spent = sum(kind.seconds for kind in self._kinds.values())
        each = sum(kind.expected_s for kind in self._kinds.values())
        rest = each * max(self.total - self.finished.total() - len(self.items), 0)
        for item in self.items.values():
            for step, cell in item.cells.items():
                expected = self._kind(step).expected_s
                spent += expected * cell.done if cell.state == "runs" else 0.0
                rest += 0.0 if cell.state in OVER else expected * (1 - cell.done)
        return rest * (now - self._began) / spent if spent else None

    def waiting(self) -> Counter[str]:
        """Count the steps by what they wait for."""
        cells = (cell for item in self.items.values() for cell in item.cells.values())
        return Counter(cell.waits_for for cell in cells if cell.state == "waits")

    def _set(self, item: str, step: str, state: CellState, now: float, waits_for: str = "") -> None:
        if (cell := self._cell(item, step)) is None:
            return
        if cell.state != state:
            cell.state, cell.since, cell.done = state, now, 0.0
        cell.waits_for = waits_for
        for worker in self.workers.values():
            if state in OVER and worker.job == (item, step):
                worker.job = None
        if state in OVER and self.heard and self.heard[0] == item:
            self.heard = None

    def _cell(self, item: str, step: str) -> Cell | None:
        at = self.items.get(item)
        return at.cells.setdefault(step, Cell()) if at else None

    def _length(self, item: str, media_ms: int | None) -> None:
        if media_ms and item in self.items:
            self.items[item].media_ms = media_ms

    def _kind(self, step: str) -> _Kind:
        return self._kinds.setdefault(kind_of(step), _Kind())


def kind_of(step: str) -> str:
    """Return a step without its language: `translate:pt` is of the kind `translate`."""
    return step.partition(":")[0]
