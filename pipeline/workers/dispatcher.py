"""Give every job a worker: queue jobs; start, keep and end workers; record the resources that each pool used.

What to do is decided by `pipeline.workers.scheduler`; this module holds the state, carries the decisions out and asks
again whenever something changes. It runs in one event loop, whose thread starts every process.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pipeline.base import events
from pipeline.base.errors import Missing, ReelError, StageRaised
from pipeline.base.events import Emit
from pipeline.base.settings import Settings
from pipeline.plan.llm_services import asked_by
from pipeline.plan.model import Step
from pipeline.store.worker_stats import Measurements
from pipeline.workers.capacity import Demand, Placement, clamp_to_largest_host
from pipeline.workers.interfaces import OnEvent, WorkerHandle, WorkerHost, WorkerKey
from pipeline.workers.scheduler import LOADING, Order, PoolForecast, PoolName, QueuedJob, WorkerState, decide
from shared import protocol

_LOAD_LIMIT_S = 600.0
_GROWTH_FACTOR, _GROWTH_MB = 1.5, 1500.0  # a worker that holds so much more than after its first job is replaced
_MEASURE_EVERY_S = 2.0


@dataclass(frozen=True)
class _Kind:
    """A pool: what its workers are, and what each needs."""

    key: WorkerKey
    load: protocol.Load | None  # None where workers are shared, and each backend is loaded when it is first needed
    resident: Demand
    running: Demand

    @property
    def pool(self) -> PoolName:
        """Return the name of the pool in the schedule."""
        return self.key.name


@dataclass
class _Worker:
    """A worker with its place in the books."""

    name: str
    kind: _Kind
    handle: WorkerHandle
    placement: Placement
    state: Literal["starting", "idle", "busy", "ending"] = "starting"
    running: Demand = LOADING
    loaded: set[tuple[str, str]] = field(default_factory=set)
    idle_since: float = 0.0
    first_mb: float | None = None
    cpu_s: float = 0.0
    measured_at: float = field(default_factory=time.monotonic)


@dataclass
class _Request:
    """A job in the queue; `granted` gets its worker, or what kept one from starting."""

    waiting: QueuedJob
    granted: asyncio.Future[_Worker]
    on_wait: Callable[[str], None]
    waits_for: str = ""


class Dispatcher:
    """Runs steps in workers of `host`. `close` ends all of them; use it as an asynchronous context."""

    def __init__(self, host: WorkerHost, settings: Settings, measurements: Measurements, emit: Emit) -> None:
        self._host, self._settings, self._emit = host, settings, emit
        self.measurements = measurements
        self._kinds: dict[PoolName, _Kind] = {}
        self._workers: dict[str, _Worker] = {}
        self._queue: dict[int, _Request] = {}
        self._expected: dict[PoolName, float] = {}
        self._doomed: set[PoolName] = set()  # could not be started ahead of need; the next job will say why
        self._generations: dict[str, int] = {}
        self._numbers, self._worker_numbers = itertools.count(1), itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticking = False
        self._trouble: BaseException | None = None
        self._closing = False
        self._deciding = False
        self.unstarted_per_active = 0.0  # files not started, per file in progress

    @property
    def cpus(self) -> int:
        """The cores of all machines."""
        return sum(host.cpus for host in self._host.hosts)

    async def __aenter__(self) -> Dispatcher:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def run(
        self,
        step: Step,
        models: Mapping[str, Path],
        inputs: protocol.FileNames,
        out_dir: Path,
        limit_s: float,
        on_start: Callable[[str], None],
        on_event: OnEvent,
        order: Order = (),
        on_wait: Callable[[str], None] = lambda what: None,
    ) -> protocol.Done:
        """Run one step. `models` maps roles to verified snapshots. `on_wait` is called with each reason to wait, then
        `on_start` with the worker's name. Raises `StageRefused` or a `StepFailed`."""
        factor = self._settings.time_limit_factor
        async with self._lease(self._kind(step, models), order, on_wait) as worker:
            load = _load_request(step, models, worker.kind.key)
            if (step.stage.name, step.backend_name) not in worker.loaded:
                await self._load(worker, load)
            on_start(worker.name)
            request = protocol.Run(
                id=next(self._numbers),
                stage=step.stage.name,
                backend=step.backend_name,
                inputs=inputs,
                params=step.params.model_dump(mode="json"),
                out_dir=str(out_dir),
            )
            try:
                done = await worker.handle.run(request, limit_s * factor, on_event)
            except StageRaised:
                worker.handle.usable = False  # the exception left the library in an unknown state
                raise
            self._note(worker, step, done)
            return done

    def expect(self, step: Step, models: Mapping[str, Path], jobs: float) -> None:
        """Add to the number of expected jobs of this kind; a negative number takes some away."""
        pool = self._kind(step, models).pool
        self._expected[pool] = max(self._expected.get(pool, 0.0) + jobs, 0.0)
        if jobs > 0:
            self._schedule()

    def all_fit(self) -> bool:
        """Return whether a worker of every kind known so far fits beside the others."""
        memory = sum(host.memory_mb for host in self._host.hosts)
        gpus = sum(sum(host.gpus) for host in self._host.hosts)
        kinds = self._kinds.values()
        return sum(k.resident.memory_mb for k in kinds) <= memory and sum(k.resident.gpu_mb for k in kinds) <= gpus

    def hosts_changed(self) -> None:
        """Handle a machine that has joined or left: write off idle workers on one that left, and fail the jobs that no
        machine can do any more."""
        hosts = self._host.hosts
        present = {host.name for host in hosts if host.present}
        for worker in list(self._workers.values()):
            if worker.state == "idle" and worker.placement.host not in present:
                self._spawn(self._end(worker, "lost"))
        for request in self._queue.values():
            need = request.waiting.running
            if not request.granted.done() and clamp_to_largest_host(need, hosts) is None:
                request.granted.set_exception(_no_machine(self._kinds[request.waiting.pool].key, need))
        self._schedule()

    async def make_room(self) -> bool:
        """End the idle workers, so that a job that ran out of memory gets all of it. Return whether there were any."""
        idle = [worker for worker in self._workers.values() if worker.state == "idle" and worker.kind.load]
        await asyncio.gather(*(self._end(worker, "evicted") for worker in idle))
        return bool(idle)

    def stop_assigning(self) -> None:
        """Assign no more jobs and start no more workers, because the run is about to end."""
        self._closing = True

    def kill_now(self) -> None:
        """Send the end to every worker, whatever it does."""
        for worker in self._workers.values():
            worker.handle.kill_now()

    async def close(self) -> None:
        """End all workers; idle ones may finish by themselves. Raises the error of a failed background task."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        ending = (self._end(worker, "finished") for worker in list(self._workers.values()))
        troubles = await asyncio.gather(*ending, return_exceptions=True)
        first = next((trouble for trouble in [self._trouble, *troubles] if trouble), None)
        self._trouble = None
        if first:
            raise first

    @contextlib.asynccontextmanager
    async def _lease(self, kind: _Kind, order: Order, on_wait: Callable[[str], None]) -> AsyncIterator[_Worker]:
        """Yield a worker for one job, once it is the job's turn."""
        ticket = next(self._numbers)
        self._doomed.discard(kind.pool)
        waiting = QueuedJob(ticket, kind.pool, order, kind.resident, kind.running)
        request = _Request(waiting, asyncio.get_running_loop().create_future(), on_wait)
        self._queue[ticket] = request
        self._schedule()
        try:
            worker = await request.granted
        except asyncio.CancelledError:
            if request.granted.done() and not request.granted.cancelled() and not request.granted.exception():
                await self._give_back(request.granted.result())
            raise
        finally:
            self._queue.pop(ticket, None)
        try:
            yield worker
        finally:
            await self._give_back(worker)

    async def _give_back(self, worker: _Worker) -> None:
        worker.running, worker.idle_since = Demand(), time.monotonic()
        worker.state = "idle"
        if not worker.handle.usable:
            await self._end(worker, "killed" if self._closing else "crashed")
        elif reason := self._outgrown(worker):
            await self._end(worker, reason)
        else:
            self._schedule()

    def _outgrown(self, worker: _Worker) -> str | None:
        """Return whether the worker holds much more than it did after its first job."""
        stats = worker.handle.resource_use()
        if stats is None:
            return None
        if worker.first_mb is None:
            worker.first_mb = stats.memory_mb
        return "memory" if stats.memory_mb > worker.first_mb * _GROWTH_FACTOR + _GROWTH_MB else None

    def _schedule(self) -> None:
        """Something has changed: decide once everything else that happens at this moment has happened too."""
        if not self._deciding:
            self._deciding = True
            asyncio.get_running_loop().call_soon(self._decide)

    def _decide(self) -> None:
        """Decide, and carry the decisions out."""
        self._deciding = False
        if self._closing:
            return
        states = [self._state(worker) for worker in self._workers.values()]
        waiting = [request.waiting for request in self._queue.values() if not request.granted.done()]
        decision = decide(waiting, states, self._outlook(), self._host.hosts)
        for ticket in decision.overtaken:
            request = self._queue[ticket]
            old = request.waiting
            request.waiting = QueuedJob(old.ticket, old.pool, old.order, old.resident, old.running, old.overtaken + 1)
        for ticket, name in decision.assign:
            worker = self._workers[name]
            worker.state, worker.running = "busy", self._queue[ticket].waiting.running
            self._queue[ticket].granted.set_result(worker)
        for pool, placement in decision.start:
            self._start(self._kinds[pool], placement)
        for name in decision.end:
            self._spawn(self._end(self._workers[name], "evicted"))
        for ticket, what in decision.wait_reasons.items():
            request = self._queue[ticket]
            if what != request.waits_for:
                request.waits_for = what
                request.on_wait(what)
        if not self._ticking and self._workers:
            self._ticking = True
            self._spawn(self._tick())

    def _outlook(self) -> dict[PoolName, PoolForecast]:
        found: dict[PoolName, PoolForecast] = {}
        for pool, kind in self._kinds.items():
            measured = self.measurements.of(kind.pool)
            jobs = 0.0 if pool in self._doomed else self._expected.get(pool, 0.0) * (1 + self.unstarted_per_active)
            found[pool] = PoolForecast(jobs, kind.resident, kind.running, measured.job_s, measured.load_s or 0.0)
        return found

    def _state(self, worker: _Worker) -> WorkerState:
        return WorkerState(
            worker.name, worker.kind.pool, worker.placement, worker.state, worker.kind.resident, worker.running,
            worker.idle_since,
        )  # fmt: skip

    def _start(self, kind: _Kind, placement: Placement) -> None:
        name = f"w{next(self._worker_numbers):02d}"
        worker = _Worker(name, kind, self._host.make(kind.key, placement, kind.resident, name), placement)
        self._workers[name] = worker
        generation = self._generations[kind.key.label] = self._generations.get(kind.key.label, 0) + 1
        self._emit(events.WorkerStarted(name, kind.key.label, placement.host, generation))
        self._spawn(self._bring_up(worker))

    async def _bring_up(self, worker: _Worker) -> None:
        """Start and load. If that fails, the first job that waits for this pool gets the error."""
        try:
            await worker.handle.start()
            if worker.kind.load:
                await self._load(worker, worker.kind.load)
        except ReelError as error:
            await self._end(worker, "crashed", quiet=True)
            self._doomed.add(worker.kind.pool)
            alike = [r for r in self._queue.values() if r.waiting.pool == worker.kind.pool and not r.granted.done()]
            if alike:
                first = min(alike, key=lambda request: (request.waiting.order, request.waiting.ticket))
                first.granted.set_exception(error)
            self._schedule()
            return
        worker.state, worker.running, worker.idle_since = "idle", Demand(), time.monotonic()
        self._schedule()

    async def _load(self, worker: _Worker, request: protocol.Load) -> None:
        ready = await worker.handle.load(request, _LOAD_LIMIT_S * self._settings.time_limit_factor)
        worker.loaded.add((request.stage, request.backend))
        models = tuple(name for _, name in worker.kind.key.models)
        self._emit(
            events.WorkerLoaded(worker.name, request.stage, request.backend, models, ready.load_s, ready.memory_mb)
        )
        self.measurements.record_load(worker.kind.pool, ready.load_s)

    def _note(self, worker: _Worker, step: Step, done: protocol.Done) -> None:
        """Remember what the job took; a kind that takes more memory than declared is booked with what it takes."""
        self.measurements.record_job(worker.kind.pool, done.seconds, done.memory_mb, done.gpu_memory_mb)
        pool = worker.kind.pool
        kind = self._kinds[pool] = self._measured(self._kinds[pool])
        for alike in self._workers.values():
            if alike.kind.pool == pool:
                alike.kind = kind

    async def _end(self, worker: _Worker, reason: str, *, quiet: bool = False) -> None:
        polite = worker.state == "idle" and worker.handle.usable
        if self._workers.get(worker.name) is not worker or worker.state == "ending":
            return
        worker.state, worker.running = "ending", Demand()
        try:
            self._measure(worker)
        finally:
            await self._gone(worker, reason, polite=polite)
        if not quiet:
            self._schedule()

    async def _gone(self, worker: _Worker, reason: str, *, polite: bool) -> None:
        try:
            await (worker.handle.stop() if polite else worker.handle.kill())
        finally:
            del self._workers[worker.name]
            self._emit(events.WorkerEnded(worker.name, reason))

    async def _tick(self) -> None:
        """Report the resource use of workers from time to time, and end those that were idle for too long."""
        while True:
            await asyncio.sleep(_MEASURE_EVERY_S)
            now = time.monotonic()
            for worker in list(self._workers.values()):
                if worker.state == "idle" and now - worker.idle_since > self._settings.idle_worker_s:
                    self._spawn(self._end(worker, "idle"))
                else:
                    self._measure(worker)

    def _measure(self, worker: _Worker) -> None:
        """Report a worker's resource use, if the system states it."""
        if not (stats := worker.handle.resource_use()):
            return
        now = time.monotonic()
        cores = max(stats.cpu_s - worker.cpu_s, 0.0) / max(now - worker.measured_at, 0.01)
        worker.cpu_s, worker.measured_at = stats.cpu_s, now
        memory = (stats.memory_mb, stats.gpu_memory_mb, stats.peak_memory_mb)
        self._emit(events.WorkerMeasured(worker.name, cores, *memory))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        """A background task ended. If it failed, on a full disk for example, fail every queued job, so that no caller
        blocks forever."""
        self._tasks.discard(task)
        if task.cancelled() or not (trouble := task.exception()):
            return
        self._trouble = self._trouble or trouble
        for request in self._queue.values():
            if not request.granted.done():
                request.granted.set_exception(trouble)

    def _kind(self, step: Step, models: Mapping[str, Path]) -> _Kind:
        key = _key(step, max((host.cpus for host in self._host.hosts), default=1))
        if key.name not in self._kinds:
            load = _load_request(step, models, key) if key.stage else None
            resources = step.backend.resources
            gpu_gib = 0.0 if key.device == "cpu" else resources.gpu_memory_gib
            resident = Demand(memory_mb=resources.memory_gib * 2**30 / 1e6, gpu_mb=gpu_gib * 2**30 / 1e6)
            self._kinds[key.name] = self._measured(
                _Kind(key, load, resident, Demand(cpus=key.threads, labels=resources.labels))
            )
        return self._kinds[key.name]

    def _measured(self, kind: _Kind) -> _Kind:
        """The kind with what it needs as measured, where something was measured, and never more than there is."""
        measured = self.measurements.of(kind.pool)
        resident = Demand(
            memory_mb=measured.memory_mb or kind.resident.memory_mb,
            gpu_mb=(measured.gpu_mb or kind.resident.gpu_mb) if kind.key.device != "cpu" else 0.0,
        )
        both = clamp_to_largest_host(
            Demand(kind.running.cpus, resident.memory_mb, resident.gpu_mb, kind.running.labels), self._host.hosts
        )
        if both is None:
            raise _no_machine(kind.key, kind.running)
        resident = Demand(memory_mb=both.memory_mb, gpu_mb=both.gpu_mb)
        return _Kind(kind.key, kind.load, resident, Demand(cpus=both.cpus, labels=both.labels))


def _no_machine(key: WorkerKey, need: Demand) -> Missing:
    wanted = ", ".join(need.labels) or "a machine"
    return Missing(
        "scheduler.label",
        f"{key.label} needs {wanted}, which no machine has",
        hint="declare what the machine has in the setting `labels`",
    )


def _key(step: Step, cpus: int) -> WorkerKey:
    """A backend with models, load-time choices or labels has workers of its own; the others of an environment share."""
    models, options = tuple(sorted(step.models.items())), tuple(sorted(step.load_options.items()))
    asked = asked_by(step)
    own = bool(models or options or step.backend.resources.labels or asked)
    return WorkerKey(
        environment=step.backend.environment,
        stage=step.stage.name if own else "",
        backend=step.backend_name if own else "",
        models=models,
        tools=step.backend.tools,
        device=step.device,
        threads=min(step.backend.resources.cpus, cpus) if own else 1,
        options=options,
        service_key=asked.key if asked else "",
    )


def _load_request(step: Step, models: Mapping[str, Path], key: WorkerKey) -> protocol.Load:
    return protocol.Load(
        stage=step.stage.name,
        stage_module=step.stage.module,
        backend=step.backend_name,
        backend_module=step.backend.module,
        models={role: str(path) for role, path in models.items()},
        device=key.device,
        threads=key.threads,
        options=dict(step.load_options),
    )
