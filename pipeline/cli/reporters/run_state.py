"""The state of a run, computed from its events: the steps of each active file, the work of each worker, the speed.

Finished files are counted and forgotten, so the state stays small. Times are seconds of a monotonic clock.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from pipeline.base import events
from pipeline.base.events import Event

StateName = Literal["ahead", "waits", "runs", "done", "reused", "failed", "skipped"]
OVER: frozenset[StateName] = frozenset({"done", "reused", "failed", "skipped"})


@dataclass
class StepState:
    """State of one step of one file: since when it holds, the share that is done, and what the step waits for."""

    state: StateName = "ahead"
    since: float = 0.0
    done: float = 0.0
    waits_for: str = ""


@dataclass
class ActiveItem:
    """Started file that is not finished. `media_ms` is its length, once that is known."""

    name: str
    steps: dict[str, StepState]
    media_ms: int | None = None

    def rate(self, step: str, now: float) -> float | None:
        """Return the speed of a running step against real time; None before its first progress report."""
        state = self.steps[step]
        seconds = now - state.since
        return self.media_ms / 1000 * state.done / seconds if self.media_ms and state.done and seconds > 0 else None


@dataclass
class ActiveWorker:
    """Running worker. `job` is the file and the step that it works on."""

    name: str
    label: str
    host: str
    loaded: bool = False
    cores: float = 0.0
    memory_mb: float = 0.0
    gpu_memory_mb: float | None = None
    job: tuple[str, str] | None = None


@dataclass
class _KindStats:
    """Statistics of one kind of step: how often it ran, how often a result was reused, and the total running time."""

    run: int = 0
    reused: int = 0
    seconds: float = 0.0

    @property
    def expected_s(self) -> float:
        """Return the mean seconds for one file; a reused result counts as no time."""
        return self.seconds / (self.run + self.reused) if self.run else 0.0


@dataclass
class RunState:
    """State of one run. `total` is the number of files; None while it is not known."""

    total: int | None = None
    items: dict[str, ActiveItem] = field(default_factory=dict)
    workers: dict[str, ActiveWorker] = field(default_factory=dict)
    finished: Counter[str] = field(default_factory=Counter)
    last_text: tuple[str, str] | None = None  # the file and the newest recognised text, until its step is done
    _began: float | None = None  # start of the first step that was not reused
    _media_s: float = 0.0  # total length of the files that are done and were not reused
    _kinds: dict[str, _KindStats] = field(default_factory=dict)

    def apply(self, event: Event, now: float) -> None:
        """Update the state with an event."""
        match event:
            case events.RunStarted(_, total):
                self.total = total
            case events.ItemStarted(item, _, _, plan):
                self.items[item] = ActiveItem(item, {step: StepState() for step in plan})
            case events.ItemFinished(item, state):
                self.finished[state] += 1
                finished = self.items.pop(item, None)
                if finished and state == "done":
                    self._media_s += (finished.media_ms or 0) / 1000
            case events.StepWaiting(item, step, what):
                self._set(item, step, "waits", now, waits_for=what)
            case events.StepStarted(item, step, _, _, media_ms, worker):
                self._began = now if self._began is None else self._began
                self._set_length(item, media_ms)
                self._set(item, step, "runs", now)
                if worker in self.workers:
                    self.workers[worker].job = (item, step)
            case events.StepProgress(item, step, done):
                if known := self._step(item, step):
                    known.done = done
            case events.StepPartial(item, _, _, _, text):
                self.last_text = (item, " ".join(text.split()))
            case events.StepDone(item, step, _, _, _, media_ms):
                self._set_length(item, media_ms)
                known, kind = self._step(item, step), self._kind(step)
                kind.run += 1
                kind.seconds += now - known.since if known else 0.0
                self._set(item, step, "done", now)
            case events.StepReused(item, step):
                self._kind(step).reused += 1
                self._set(item, step, "reused", now)
            case events.StepFailedEvent(item, step):
                self._set(item, step, "failed", now)
            case events.StepSkipped(item, step):
                self._set(item, step, "skipped", now)
            case events.WorkerStarted(worker, label, host):
                self.workers[worker] = ActiveWorker(worker, label, host)
            case events.WorkerLoaded(worker) if worker in self.workers:
                self.workers[worker].loaded = True
            case events.WorkerMeasured(worker, cores, memory_mb, gpu_mb) if worker in self.workers:
                measured = self.workers[worker]
                measured.cores, measured.memory_mb, measured.gpu_memory_mb = cores, memory_mb, gpu_mb
            case events.WorkerEnded(worker):
                self.workers.pop(worker, None)
            case _:
                pass

    def rate(self, now: float) -> float | None:
        """Return the speed of the run against real time, by its finished files; None before the first one."""
        if not self._media_s or self._began is None or now <= self._began:
            return None
        return self._media_s / (now - self._began)

    def left_s(self, now: float) -> float | None:
        """Return the seconds that the rest will take at the speed so far. None before the first file is finished, and
        while more files may arrive."""
        if self.total is None or self._began is None or not self.finished["done"]:
            return None
        spent = sum(kind.seconds for kind in self._kinds.values())
        per_file = sum(kind.expected_s for kind in self._kinds.values())
        rest = per_file * max(self.total - self.finished.total() - len(self.items), 0)
        for item in self.items.values():
            for step, current in item.steps.items():
                expected = self._kind(step).expected_s
                spent += expected * current.done if current.state == "runs" else 0.0
                rest += 0.0 if current.state in OVER else expected * (1 - current.done)
        return rest * (now - self._began) / spent if spent else None

    def waiting(self) -> Counter[str]:
        """Count the steps by what they wait for."""
        steps = (step for item in self.items.values() for step in item.steps.values())
        return Counter(step.waits_for for step in steps if step.state == "waits")

    def _set(self, item: str, step: str, state: StateName, now: float, waits_for: str = "") -> None:
        if (known := self._step(item, step)) is None:
            return
        if known.state != state:
            known.state, known.since, known.done = state, now, 0.0
        known.waits_for = waits_for
        for worker in self.workers.values():
            if state in OVER and worker.job == (item, step):
                worker.job = None
        if state in OVER and self.last_text and self.last_text[0] == item:
            self.last_text = None

    def _step(self, item: str, step: str) -> StepState | None:
        active = self.items.get(item)
        return active.steps.setdefault(step, StepState()) if active else None

    def _set_length(self, item: str, media_ms: int | None) -> None:
        if media_ms and item in self.items:
            self.items[item].media_ms = media_ms

    def _kind(self, step: str) -> _KindStats:
        return self._kinds.setdefault(step_kind(step), _KindStats())


def step_kind(step: str) -> str:
    """Return the name of a step without its language: `translate:pt` is of the kind `translate`."""
    return step.partition(":")[0]
