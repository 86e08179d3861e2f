"""The interfaces between the dispatcher and its workers and machines, whatever runs behind them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from pipeline.workers.capacity import Demand, Host, Placement
from shared import protocol
from shared.stage import Option

OnEvent = Callable[[protocol.Progress | protocol.Notice], None]


@dataclass(frozen=True)
class WorkerKey:
    """The identity of a worker for reuse. It holds load-time choices only, and no parameter of a job."""

    environment: str
    stage: str  # empty for a worker that backends without models share
    backend: str
    models: tuple[tuple[str, str], ...]
    tools: tuple[str, ...]
    device: str
    threads: int
    options: tuple[tuple[str, Option], ...] = ()
    service_key: str = ""  # the name of the key that its service wants; empty for one that asks none

    @property
    def name(self) -> str:
        """The key as text, the same in every run: what workers that can stand in for each other have in common."""
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
    """The resources that a worker uses: processor time since its start, memory now, and peak memory."""

    cpu_s: float
    memory_mb: float
    gpu_memory_mb: float | None = None
    peak_memory_mb: float | None = None


class WorkerHandle(Protocol):
    """One stage process, wherever it is. One request at a time. `usable` turns false, for good, when it has failed in
    a way of its own; then it is killed and another takes its place."""

    usable: bool

    async def start(self) -> None:
        """Start the process and hear its greeting. Raises `StepFailed`."""

    async def load(self, request: protocol.Load, limit_s: float) -> protocol.Ready:
        """Load a backend. Raises `StageRefused` or a `StepFailed`; the worker is then not usable."""

    async def run(self, request: protocol.Run, limit_s: float, on_event: OnEvent) -> protocol.Done:
        """Do one job. Raises `StageRefused` or a `StepFailed`; when the calling task is cancelled, so is the job."""

    async def stop(self) -> None:
        """Let the idle worker finish by itself, and end it when it does not."""

    async def kill(self) -> None:
        """End the worker and everything it started, at once. May be called again."""

    def kill_now(self) -> None:
        """Send the end without waiting for it; `kill` still has to be awaited."""

    def resource_use(self) -> ResourceUse | None:
        """Return the current resource use; None when it is not known."""


class WorkerHost(Protocol):
    """One machine or many, on which workers can be made."""

    @property
    def hosts(self) -> Sequence[Host]:
        """The machines there are now with all that each has, and those that were there a while ago, not present."""

    def make(self, key: WorkerKey, placement: Placement, resident: Demand, name: str) -> WorkerHandle:
        """A worker that is not started yet, and that takes so much. `name` is the same as in events and logs."""
