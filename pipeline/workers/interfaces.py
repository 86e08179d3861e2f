"""Interfaces between the dispatcher and its workers and machines, for this machine and for a cluster alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from pipeline.base.events import Emit
from pipeline.workers.capacity import Demand, Host, Placement
from shared import protocol
from shared.stage import Option

OnEvent = Callable[[protocol.Remark], None]


@dataclass(frozen=True)
class WorkerKey:
    """The identity of a worker for reuse: everything that is chosen when it loads, and no parameter of a job."""

    environment: str
    stage: str  # empty if backends without models share the worker
    backend: str
    models: tuple[tuple[str, str], ...]
    tools: tuple[str, ...]
    device: str
    threads: int
    options: tuple[tuple[str, Option], ...] = ()
    service_key: str = ""  # the name of the key for its service; empty without one

    @property
    def name(self) -> str:
        """Return the key as text, the same in every run. Workers of one name can stand in for each other."""
        return _name_of(self)

    @property
    def label(self) -> str:
        """Return the name for people: `asr (faster-whisper)`, `lite`."""
        return f"{self.stage} ({self.backend})" if self.stage else self.environment


@lru_cache  # a step's key is built on every request, and few differ
def _name_of(key: WorkerKey) -> str:
    parts = [key.environment, key.stage, key.backend, dict(key.models), key.tools, key.device, key.threads]
    asks = [key.service_key] if key.service_key else []
    return json.dumps([*parts, dict(key.options), *asks], sort_keys=True)


@dataclass(frozen=True)
class ResourceUse:
    """The resources that a worker uses: processor seconds since its start, and memory now and at its peak, in 10^6
    bytes."""

    cpu_s: float
    memory_mb: float
    gpu_memory_mb: float | None = None
    peak_memory_mb: float | None = None


class WorkerHandle(Protocol):
    """A stage process on some machine, which takes one request at a time.

    `usable` becomes false after a failure that leaves the process in an unknown state. The process is then killed, and
    another takes its place.
    """

    usable: bool

    @property
    def pid(self) -> int | None:
        """Return the process on this machine; None if it is not started, or elsewhere."""

    async def start(self) -> None:
        """Start the process, and wait for its greeting. Raises `StepFailed`."""

    async def load(self, request: protocol.Load, limit_s: float) -> protocol.Ready:
        """Load a backend. Raises `StageRefused` or a `StepFailed`; the worker is then no longer usable."""

    async def run(self, request: protocol.Run, limit_s: float, on_event: OnEvent) -> protocol.Done:
        """Run one job, and cancel it if the calling task is cancelled. Raises `StageRefused` or a `StepFailed`."""

    async def stop(self) -> None:
        """Ask the idle worker to exit, and kill it if it does not."""

    async def kill(self) -> None:
        """Kill the worker and every process that it started. May be called again."""

    def kill_now(self) -> None:
        """Kill the worker without waiting for its end; `kill` still has to be awaited."""

    def resource_use(self) -> ResourceUse | None:
        """Return the current resource use, or None if it is not known."""


class WorkerHost(Protocol):
    """The machines on which workers can be started: one or many."""

    @property
    def hosts(self) -> Sequence[Host]:
        """Return the machines with their total resources. Those that left a short time ago are included as not
        present."""

    async def measure_cards(self, own: Collection[int], emit: Emit) -> Mapping[int, float]:
        """Look at the cards, emit the use of each, and return what each of the processes `own` holds of them, in 10^6
        bytes, as far as the driver tells. Memory that other programs have released since is then among that of the
        `hosts`."""

    async def is_crowded(self, placement: Placement) -> bool:
        """Tell whether other programs hold so much memory of a card that a job may have lacked it."""

    def make(self, key: WorkerKey, placement: Placement, resident: Demand, name: str) -> WorkerHandle:
        """Return a worker that is not started yet, with `resident` as its demand. Events and logs call it `name`."""
