"""Give every job a worker: queue jobs; start, keep and end workers; record the resources that each pool uses.

`pipeline.workers.scheduler` decides what to do, and `pipeline.workers.pools` keeps the books that it decides by. This
module holds the queue and the workers, carries the decisions out, and asks for new ones whenever something changes. It
runs in one event loop, whose thread starts every process.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pipeline.base import events
from pipeline.base.errors import OutOfMemory, ReelError, StageRaised
from pipeline.base.events import Emit
from pipeline.base.settings import Settings
from pipeline.plan.model import Step
from pipeline.store.card_proofs import CardProofs
from pipeline.store.worker_stats import Measurements
from pipeline.workers.background import BackgroundTasks
from pipeline.workers.capacity import Demand, Placement, clamp_to_largest_host
from pipeline.workers.card_failures import CardFailures
from pipeline.workers.card_memory import card_of
from pipeline.workers.interfaces import OnEvent, WorkerHandle, WorkerHost
from pipeline.workers.pools import Pool, Pools, load_request, missing_label
from pipeline.workers.scheduler import LOADING, Order, PoolName, QueuedJob, WorkerState, decide
from shared import protocol

_LOAD_LIMIT_S = 600.0
_GROWTH_FACTOR, _GROWTH_MB = 1.5, 1500.0  # a worker that holds so much more than after its first job is replaced
_MEASURE_EVERY_S = 2.0
_LOOKS_A_CARD = 5  # looks at the workers for each at the cards, which starts a program that takes 0.05 to 0.2 s


def _ignore(_: object) -> None:
    """Ignore a call."""


@dataclass(frozen=True)
class StepJob:
    """A step to be run by a worker, with its files and its time limit.

    `models` maps roles to verified snapshots, and `out_dir` is an empty folder for the outputs. `on_wait` is called
    with each reason for which the job waits, then `on_start` with the worker's name, then `on_event` with the progress
    and the notices of the stage.
    """

    step: Step
    inputs: protocol.FileNames
    out_dir: Path
    limit_s: float
    models: Mapping[str, Path] = field(default_factory=dict)
    order: Order = ()
    on_wait: Callable[[str], None] = _ignore
    on_start: Callable[[str], None] = _ignore
    on_event: OnEvent = _ignore


@dataclass
class _Worker:
    """A worker of a pool, with its state."""

    name: str
    pool: PoolName
    handle: WorkerHandle
    placement: Placement
    state: Literal["starting", "idle", "busy", "ending"] = "starting"
    running: Demand = LOADING
    loaded: set[tuple[str, str]] = field(default_factory=set)  # stages and backends
    idle_since: float = 0.0
    first_mb: float | None = None  # memory after the first job
    gpu_mb: float | None = None  # memory of a card, as the driver tells
    cpu_s: float = 0.0
    measured_at: float = field(default_factory=time.monotonic)

    def becomes_idle(self) -> None:
        """Set the state of a worker without a job."""
        self.state, self.running, self.idle_since = "idle", Demand(), time.monotonic()


@dataclass
class _QueueEntry:
    """A queued job. `granted` gets its worker, or the error that kept a worker from starting."""

    job: QueuedJob
    granted: asyncio.Future[_Worker]
    on_wait: Callable[[str], None]
    wait_reason: str = ""


class Dispatcher:
    """Runs steps in workers of `host`. `close` ends all of them; use it as an asynchronous context.

    `unstarted_per_active` is the number of files that are not started yet for each file in progress.
    """

    def __init__(
        self, host: WorkerHost, settings: Settings, measurements: Measurements, emit: Emit,
        proofs: CardProofs | None = None,
    ) -> None:  # fmt: skip
        self._host, self._settings, self._emit = host, settings, emit
        self.measurements, self.cards = measurements, CardFailures(proofs)
        self._pools = Pools(host, measurements, self.cards)
        self._workers: dict[str, _Worker] = {}
        self._queue: dict[int, _QueueEntry] = {}
        self._started: Counter[str] = Counter()  # workers by label
        self._request_ids, self._worker_numbers = itertools.count(1), itertools.count(1)
        self._background = BackgroundTasks(self._fail_queued_jobs)
        self._measuring = False
        self._closing = False
        self._decision_due = False
        self.unstarted_per_active = 0.0

    @property
    def cpus(self) -> int:
        """Return the number of cores of all machines."""
        return sum(host.cpus for host in self._host.hosts)

    async def __aenter__(self) -> Dispatcher:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def run(self, job: StepJob) -> protocol.Done:
        """Run one step when it is its turn, and return what the stage reports. Raises `StageRefused`, a `StepFailed`,
        or `Missing` if no machine has the labels of its backend."""
        step = job.step
        async with self._lease(self._pools.pool_of(step, job.models), job.order, job.on_wait) as worker:
            if (step.stage.name, step.backend_name) not in worker.loaded:
                await self._load(worker, load_request(step, job.models, self._pools[worker.pool].key))
            job.on_start(worker.name)
            request = protocol.Run(
                id=next(self._request_ids),
                stage=step.stage.name,
                backend=step.backend_name,
                inputs=job.inputs,
                params=step.params.model_dump(mode="json"),
                out_dir=str(job.out_dir),
            )
            try:
                limit_s = job.limit_s * self._settings.time_limit_factor
                done = await worker.handle.run(request, limit_s, job.on_event)
            except StageRaised:
                worker.handle.usable = False  # the exception left the library in an unknown state
                raise
            except OutOfMemory as error:
                error.host, error.gpu = worker.placement.host, worker.placement.gpu
                raise
            self._pools.record_job(worker.pool, done)
            return done

    def expect(self, step: Step, models: Mapping[str, Path], jobs: float) -> None:
        """Add to the number of jobs that the step's pool expects. A negative number subtracts from it."""
        self._pools.expect(self._pools.pool_of(step, models), jobs)
        if jobs > 0:
            self._schedule()

    def all_fit(self) -> bool:
        """Tell whether a worker of each pool known so far fits into the machines at the same time."""
        return self._pools.all_fit()

    def hosts_changed(self) -> None:
        """Handle a machine that has joined or left: end the idle workers on one that has left, and fail the jobs that
        no machine can run any more."""
        hosts = self._host.hosts
        present = {host.name for host in hosts if host.present}
        for worker in list(self._workers.values()):
            if worker.state == "idle" and worker.placement.host not in present:
                self._background.start(self._end(worker, "lost"))
        for entry in self._ungranted():
            if clamp_to_largest_host(entry.job.running, hosts) is None:
                entry.granted.set_exception(missing_label(self._pools[entry.job.pool]))
        self._schedule()

    async def make_room(self, error: OutOfMemory) -> bool:
        """End the idle workers, so that the job that ran out of memory can use theirs. Return whether there were any.

        If it ran out on a card, only the workers on that card hold what it needs.
        """
        card = card_of(error)
        idle = [
            worker
            for worker in self._workers.values()
            if worker.state == "idle" and self._pools[worker.pool].load and card in {None, worker.placement}
        ]
        await asyncio.gather(*(self._end(worker, "evicted") for worker in idle))
        return bool(idle)

    async def is_crowded(self, error: OutOfMemory) -> bool:
        """Tell whether others held memory of the card that a job ran out of: other workers, or other programs."""
        card = card_of(error)
        if card is None:
            return False
        ours = any(worker.placement == card for worker in self._workers.values())
        return ours or await self._host.is_crowded(card)

    def stop_assigning(self) -> None:
        """Assign no more jobs and start no more workers, because the run is about to end."""
        self._closing = True

    def kill_now(self) -> None:
        """Kill every worker at once, without waiting for its end."""
        for worker in self._workers.values():
            worker.handle.kill_now()

    async def close(self) -> None:
        """End all workers; idle ones may finish by themselves. Raises the error of a failed background task."""
        self._closing = True
        failure = await self._background.close()
        ends = (self._end(worker, "finished") for worker in list(self._workers.values()))
        outcomes = await asyncio.gather(*ends, return_exceptions=True)
        if first := next((outcome for outcome in [failure, *outcomes] if outcome), None):
            raise first

    @contextlib.asynccontextmanager
    async def _lease(self, pool: Pool, order: Order, on_wait: Callable[[str], None]) -> AsyncIterator[_Worker]:
        """Yield a worker for one job when it is the job's turn."""
        ticket = next(self._request_ids)
        self._pools.job_queued(pool.name)
        job = QueuedJob(ticket, pool.name, order, pool.resident, pool.running)
        entry = self._queue[ticket] = _QueueEntry(job, asyncio.get_running_loop().create_future(), on_wait)
        self._schedule()
        try:
            worker = await entry.granted
        except asyncio.CancelledError:
            if entry.granted.done() and not entry.granted.cancelled() and not entry.granted.exception():
                await self._give_back(entry.granted.result())
            raise
        finally:
            self._queue.pop(ticket, None)
        try:
            yield worker
        finally:
            await self._give_back(worker)

    async def _give_back(self, worker: _Worker) -> None:
        worker.becomes_idle()
        if not worker.handle.usable:
            await self._end(worker, "killed" if self._closing else "crashed")
        elif self._has_outgrown(worker):
            await self._end(worker, "memory")
        else:
            self._schedule()

    def _has_outgrown(self, worker: _Worker) -> bool:
        """Tell whether the worker holds much more memory than it did after its first job."""
        use = worker.handle.resource_use()
        if use is None:
            return False
        if worker.first_mb is None:
            worker.first_mb = use.memory_mb
        return use.memory_mb > worker.first_mb * _GROWTH_FACTOR + _GROWTH_MB

    def _schedule(self) -> None:
        """Decide soon: after everything else that happens in this iteration of the event loop, in one decision."""
        if not self._decision_due:
            self._decision_due = True
            self._background.start(self._decide())  # a failure of `call_soon` would leave the jobs waiting

    async def _decide(self) -> None:
        """Ask for decisions, and carry them out."""
        self._decision_due = False
        if self._closing:
            return
        queue = [entry.job for entry in self._ungranted()]
        states = [self._state(worker) for worker in self._workers.values()]
        decision = decide(queue, states, self._pools.forecasts(self.unstarted_per_active), self._host.hosts)
        for ticket in decision.overtaken:
            entry = self._queue[ticket]
            entry.job = replace(entry.job, overtaken=entry.job.overtaken + 1)
        for ticket, name in decision.assign:
            worker, entry = self._workers[name], self._queue[ticket]
            worker.state, worker.running = "busy", entry.job.running
            entry.granted.set_result(worker)
        for pool, placement in decision.start:
            self._start(self._pools[pool], placement)
        for name in decision.end:
            self._background.start(self._end(self._workers[name], "evicted"))
        for ticket, reason in decision.wait_reasons.items():
            entry = self._queue[ticket]
            if reason != entry.wait_reason:
                entry.wait_reason = reason
                entry.on_wait(reason)
        if not self._measuring and self._workers:
            self._measuring = True
            self._background.start(self._measure_workers())

    def _ungranted(self) -> list[_QueueEntry]:
        """Return the entries of the queue that have got neither a worker nor an error."""
        return [entry for entry in self._queue.values() if not entry.granted.done()]

    def _fail_queued_jobs(self, failure: BaseException) -> None:
        """Fail every queued job, so that no caller waits forever after a background task failed, on a full disk for
        example."""
        for entry in self._ungranted():
            entry.granted.set_exception(failure)

    def _state(self, worker: _Worker) -> WorkerState:
        return WorkerState(
            worker.name, worker.pool, worker.placement, worker.state, self._pools[worker.pool].resident,
            worker.running, worker.idle_since,
        )  # fmt: skip

    def _start(self, pool: Pool, placement: Placement) -> None:
        name, label = f"w{next(self._worker_numbers):02d}", pool.key.label
        worker = _Worker(name, pool.name, self._host.make(pool.key, placement, pool.resident, name), placement)
        self._workers[name] = worker
        self._started[label] += 1
        self._emit(events.WorkerStarted(name, label, placement.host, self._started[label]))
        self._background.start(self._bring_up(worker, pool.load))

    async def _bring_up(self, worker: _Worker, load: protocol.Load | None) -> None:
        """Start the worker, and load its backend. If that fails, the first job that waits for its pool gets the
        error."""
        try:
            await worker.handle.start()
            if load:
                await self._load(worker, load)
        except ReelError as error:
            if isinstance(error, OutOfMemory):
                error.host, error.gpu = worker.placement.host, worker.placement.gpu
            await self._end(worker, "crashed", quiet=True)
            self._pools.start_failed(worker.pool)
            waiting = [entry for entry in self._ungranted() if entry.job.pool == worker.pool]
            if waiting:
                first = min(waiting, key=lambda entry: (entry.job.order, entry.job.ticket))
                first.granted.set_exception(error)
        else:
            worker.becomes_idle()
        self._schedule()

    async def _load(self, worker: _Worker, request: protocol.Load) -> None:
        ready = await worker.handle.load(request, _LOAD_LIMIT_S * self._settings.time_limit_factor)
        worker.loaded.add((request.stage, request.backend))
        if request.prove:
            self.cards.proved(self._pools[worker.pool].key.environment, request.prove)
        models = tuple(name for _, name in self._pools[worker.pool].key.models)
        self._emit(
            events.WorkerLoaded(worker.name, request.stage, request.backend, models, ready.load_s, ready.memory_mb)
        )
        self._pools.record_load(worker.pool, ready.load_s)

    async def _end(self, worker: _Worker, reason: str, *, quiet: bool = False) -> None:
        """End a worker, unless it is ending already. If `quiet`, the caller asks for decisions itself."""
        gently = worker.state == "idle" and worker.handle.usable
        if self._workers.get(worker.name) is not worker or worker.state == "ending":
            return
        worker.state, worker.running = "ending", Demand()
        try:
            self._measure(worker)
        finally:
            try:
                await (worker.handle.stop() if gently else worker.handle.kill())
            finally:
                del self._workers[worker.name]
                self._emit(events.WorkerEnded(worker.name, reason))
        if not quiet:
            self._schedule()

    async def _measure_workers(self) -> None:
        """Measure the workers from time to time, and end those that have been idle for too long."""
        for look in itertools.count(1):
            await asyncio.sleep(_MEASURE_EVERY_S)
            if look % _LOOKS_A_CARD == 1:
                await self._measure_cards()
            now = time.monotonic()
            for worker in list(self._workers.values()):
                if worker.state == "idle" and now - worker.idle_since > self._settings.idle_worker_s:
                    self._background.start(self._end(worker, "idle"))
                else:
                    self._measure(worker)

    async def _measure_cards(self) -> None:
        """Record what the driver says that workers hold of the cards: no library knows all of it."""
        on_cards = [worker for worker in self._workers.values() if self._pools[worker.pool].key.device == "cuda"]
        pids = {worker.handle.pid: worker for worker in on_cards}
        if on_cards:
            held = await self._host.measure_cards([pid for pid in pids if pid], self._emit)
            for pid, gpu_mb in held.items():
                pids[pid].gpu_mb = gpu_mb
                self._pools.record_gpu_memory(pids[pid].pool, gpu_mb)

    def _measure(self, worker: _Worker) -> None:
        """Emit the worker's resource use, if the system reports it."""
        use = worker.handle.resource_use()
        if use is None:
            return
        now = time.monotonic()
        cores = max(use.cpu_s - worker.cpu_s, 0.0) / max(now - worker.measured_at, 0.01)
        worker.cpu_s, worker.measured_at = use.cpu_s, now
        memory = (use.memory_mb, worker.gpu_mb or use.gpu_memory_mb, use.peak_memory_mb)
        self._emit(events.WorkerMeasured(worker.name, cores, *memory))
