"""Decide which job runs next and where, and which workers start and end. Pure: decisions over plain data.

The queue is first come, first served. Smaller jobs may overtake a job that lacks cores, but only a few times, so that
cores do not stay idle and no job waits forever. The pool with the most work left gets another worker if the time saved
pays for its load, unless cores are the bottleneck. If not all models fit into memory, a worker with waiting jobs stays,
and a worker without makes room: a group of files then goes through the plan stage by stage, and each model is loaded
once a group.

A GPU computes one job at a time. A pool gets a worker on a second GPU if that computes nothing and the time saved pays
for the load, and never two workers on one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Literal

from pipeline.workers.capacity import Demand, FreeCapacity, Host, Placement

MAX_OVERTAKEN = 4  # times that a job which waits for cores may be overtaken
MAX_OVERTAKEN_FOR_MEMORY = 64  # and one that waits for memory: an evicted worker costs a load
LOADING = Demand(cpus=1)
_NOTHING = Demand()

PoolName = str
"""The name of a pool: workers that can stand in for each other."""
Order = tuple[float, ...]
"""A job's place in the queue; the smallest is the first."""
_Served = Literal["placed", "blocked", "behind"]
"""The outcome for a job: it got a worker, or one starts for it; it lacks a resource; it waits for a worker of its own
pool, which does not concern other jobs."""


@dataclass(frozen=True)
class QueuedJob:
    """A job that waits for a worker. `resident` is the demand of a worker of its pool, `running` that of the job.
    `overtaken` counts the jobs that were placed before it out of order."""

    ticket: int
    pool: PoolName
    order: Order
    resident: Demand
    running: Demand
    overtaken: int = 0


@dataclass(frozen=True)
class WorkerState:
    """A worker as the scheduler sees it. `running` is the demand of its job or of its load."""

    name: str
    pool: PoolName
    placement: Placement
    state: Literal["starting", "idle", "busy", "ending"]
    resident: Demand
    running: Demand = _NOTHING
    idle_since: float = 0.0


@dataclass(frozen=True)
class PoolForecast:
    """The work that a pool expects: its number of jobs, queued ones included, the seconds of a job (None if unknown)
    and of a load, and the demands of a worker and of a job."""

    jobs: float
    resident: Demand
    running: Demand = _NOTHING
    job_s: float | None = None
    load_s: float = 0.0


@dataclass
class Decision:
    """Jobs to assign (ticket and worker), workers to start, idle workers to end, tickets of jobs that were overtaken,
    and the reason for which each job that is left in the queue waits."""

    assign: list[tuple[int, str]] = field(default_factory=list)
    start: list[tuple[PoolName, Placement]] = field(default_factory=list)
    end: list[str] = field(default_factory=list)
    overtaken: list[int] = field(default_factory=list)
    wait_reasons: dict[int, str] = field(default_factory=dict)


A_TURN, A_WORKER, A_CORE, MODELS = "its turn", "a worker of its kind", "a core", "its models to load"
MEMORY, GPU_MEMORY, A_GPU, LABEL = "memory", "memory of a GPU", "a GPU", "the label `{}`"


def decide(
    queue: Sequence[QueuedJob], workers: Sequence[WorkerState], forecasts: Mapping[PoolName, PoolForecast],
    hosts: Sequence[Host],
) -> Decision:  # fmt: skip
    """Return the decisions for this moment. A worker keeps its reservations from its start until it has ended."""
    return _Round(queue, workers, forecasts, hosts).decide()


def pays_off(forecast: PoolForecast, workers: int) -> bool:
    """Tell whether one more worker saves more time than it takes to load."""
    if forecast.job_s is None:
        return False
    remaining_s = forecast.jobs * forecast.job_s
    return remaining_s / workers - remaining_s / (workers + 1) > forecast.load_s + forecast.job_s


class _Round:
    """One round of decisions."""

    def __init__(
        self, queue: Sequence[QueuedJob], workers: Sequence[WorkerState], forecasts: Mapping[PoolName, PoolForecast],
        hosts: Sequence[Host],
    ) -> None:  # fmt: skip
        self._queue = sorted(queue, key=attrgetter("order", "ticket"))
        self._forecasts = forecasts
        self._free = FreeCapacity(hosts)
        self._cores = sum(host.cpus for host in hosts)
        for worker in workers:
            self._free.reserve(worker.resident, worker.placement)
            self._free.reserve(worker.running, worker.placement)
        self._idle: dict[PoolName, list[WorkerState]] = {}
        for worker in sorted(workers, key=lambda idle: idle.idle_since):
            if worker.state == "idle":
                self._idle.setdefault(worker.pool, []).append(worker)  # the last used is taken first
        self._live = Counter(worker.pool for worker in workers if worker.state != "ending")
        self._on_gpus: dict[PoolName, set[Placement]] = {}  # where a pool has workers already
        for worker in workers:
            if worker.placement.gpu is not None and worker.state != "ending":
                self._on_gpus.setdefault(worker.pool, set()).add(worker.placement)
        self._starting = Counter(worker.pool for worker in workers if worker.state == "starting")
        self._ending = any(worker.state == "ending" for worker in workers)
        self._saturated: set[PoolName] = set()  # every worker has a job, and no other is started in this round
        self._lack_room: list[QueuedJob] = []
        self._decision = Decision()

    def decide(self) -> Decision:
        self._serve_queue()
        for job in self._lack_room:
            if not self._decision.end:
                self._make_room(job)
        return self._decision

    def _serve_queue(self) -> None:
        """Serve the jobs in their order, until one has been overtaken too often."""
        blocked: list[QueuedJob] = []
        self._decision.wait_reasons = dict.fromkeys((job.ticket for job in self._queue), A_TURN)
        for job in self._queue:
            if job.pool in self._saturated:
                self._decision.wait_reasons[job.ticket] = A_WORKER
                continue
            served = self._serve(job)
            if served == "placed":
                self._decision.overtaken += [earlier.ticket for earlier in blocked]
            elif served == "blocked":
                if job.overtaken >= (MAX_OVERTAKEN if self._live[job.pool] else MAX_OVERTAKEN_FOR_MEMORY):
                    return
                blocked.append(job)
        if not blocked and not self._ending:
            self._start_ahead()

    def _serve(self, job: QueuedJob) -> _Served:
        """Assign a worker to the job, or start one for it, or record the reason for which it waits."""
        reasons = self._decision.wait_reasons
        if idle := self._idle.get(job.pool):
            # The first whose host has room for the job; usually there is one host.
            for worker in reversed(idle):
                if self._free.fits(job.running, worker.placement):
                    idle.remove(worker)
                    self._free.reserve(job.running, worker.placement)
                    self._decision.assign.append((job.ticket, worker.name))
                    del reasons[job.ticket]
                    return "placed"
            if job.running.gpus and all(self._is_computing(worker.placement) for worker in idle):
                # The first job in order gets a GPU when it is free, so others need not wait for this one.
                reasons[job.ticket] = A_GPU
                return "placed" if self._start_on_idle_gpu(job) else "behind"
            reasons[job.ticket] = self._missing_resource(Demand(), job.running)
            return "blocked"
        reasons[job.ticket] = MODELS
        if self._starting[job.pool]:
            self._starting[job.pool] -= 1  # that worker is for this job
            return "behind"
        if self._live[job.pool]:
            if self._start_on_idle_gpu(job):
                return "placed"
            if self._is_bottleneck(job.pool) and self._start(job.pool, job.resident, job.running):
                return "placed"
            self._saturated.add(job.pool)
            reasons[job.ticket] = A_WORKER
            return "behind"
        if self._start(job.pool, job.resident, job.running):
            return "placed"
        reasons[job.ticket] = self._missing_resource(job.resident, job.running)
        if job.running.gpus:
            self._lack_room.append(job)  # jobs that have workers go first: a GPU that computes needs no other worker
        else:
            self._make_room(job)
        return "blocked"

    def _is_computing(self, placement: Placement) -> bool:
        return placement not in self._free.idle_gpus()

    def _start_on_idle_gpu(self, job: QueuedJob) -> bool:
        """Start another worker for the job on a GPU that computes nothing, if there is one and the worker pays off."""
        forecast = self._forecasts.get(job.pool)
        if not job.running.gpus or forecast is None:
            return False
        workers = self._live[job.pool]
        # As long as the seconds of a job are unknown, a GPU that would do nothing is worth a load for a job of its own.
        if not (pays_off(forecast, workers) if forecast.job_s is not None else forecast.jobs > workers):
            return False
        if not set(self._free.idle_gpus()) - self._on_gpus.get(job.pool, set()):
            return False
        return self._start(job.pool, job.resident, job.running)

    def _missing_resource(self, resident: Demand, running: Demand) -> str:
        """Return the name of the resource that a job which fits nowhere now waits for."""
        if not self._free.placement_for(Demand(memory_mb=resident.memory_mb), Demand()):
            return MEMORY
        if resident.gpu_mb and not self._free.placement_for(Demand(gpu_mb=resident.gpu_mb), Demand()):
            return GPU_MEMORY
        for label in running.labels:
            if not self._free.placement_for(Demand(labels={label: running.labels[label]}), Demand()):
                return LABEL.format(label)
        return A_CORE

    def _is_bottleneck(self, pool: PoolName) -> bool:
        """Tell whether this pool would finish last, later than the cores alone would allow, and another worker pays
        off. If the seconds of a job are unknown for some pool, so is the slowest pool, and the answer is False."""
        forecast = self._forecasts.get(pool)
        if forecast is None or not pays_off(forecast, self._live[pool]):
            return False
        expecting = [other for other, expected in self._forecasts.items() if expected.jobs]
        if any(self._forecasts[other].job_s is None for other in expecting):
            return False
        core_s = sum(each.jobs * (each.job_s or 0.0) * max(each.running.cpus, 1) for each in self._forecasts.values())
        others = (self._remaining_s(other) for other in expecting if self._live[other])
        remaining_s = self._remaining_s(pool)
        return remaining_s >= max(others, default=0.0) and remaining_s > core_s / self._cores

    def _remaining_s(self, pool: PoolName) -> float:
        forecast = self._forecasts[pool]
        return forecast.jobs * (forecast.job_s or 0.0) / self._live[pool]

    def _start(self, pool: PoolName, resident: Demand, running: Demand) -> bool:
        demand = Demand(resident.cpus + LOADING.cpus, resident.memory_mb, resident.gpu_mb, resident.labels)
        placement = self._free.placement_for(
            demand, running, without=self._on_gpus.get(pool, ()), last=self._kept_for_larger(demand)
        )
        if placement is None:
            return False
        self._free.reserve(demand, placement)
        if placement.gpu is not None:
            self._on_gpus.setdefault(pool, set()).add(placement)
        self._live[pool] += 1
        self._decision.start.append((pool, placement))
        return True

    def _kept_for_larger(self, demand: Demand) -> list[Placement]:
        """Return the GPUs that are the only ones with room for a larger worker that is to come."""
        larger = (
            forecast.resident.gpu_mb
            for pool, forecast in self._forecasts.items()
            if forecast.jobs > 0 and not self._live[pool] and forecast.resident.gpu_mb > demand.gpu_mb
        )
        kept = (self._free.only_room_for(gpu_mb, demand.gpu_mb) for gpu_mb in larger) if demand.gpu_mb else ()
        return [placement for placement in kept if placement]

    def _make_room(self, job: QueuedJob) -> None:
        """End idle workers so that a worker for the job can start: first those whose pool expects no jobs, then those
        that have been idle longest."""
        forced = job.overtaken >= MAX_OVERTAKEN_FOR_MEMORY
        assigned = {ticket for ticket, _ in self._decision.assign}
        queued = {other.pool for other in self._queue if other.ticket not in assigned}
        spare = [
            worker
            for pool, idle in self._idle.items()
            for worker in idle
            if pool != job.pool and (forced or pool not in queued) and (forced or not self._is_of_use(worker))
        ]
        spare.sort(key=lambda worker: (self._expects_jobs(worker.pool), worker.idle_since))
        if self._free.placement_for(job.resident, job.running):
            return  # memory is free, a core is not
        # On one GPU first: a worker on another has nothing that a job on this one lacks.
        gpus = {worker.placement: None for worker in spare if worker.placement.gpu is not None}
        hosts = {worker.placement.host: None for worker in spare}
        groups = (
            [[worker for worker in spare if worker.placement == gpu] for gpu in gpus] if job.resident.gpu_mb else []
        )
        groups.sort(key=len)
        for group in (*groups, *([worker for worker in spare if worker.placement.host == host] for host in hosts)):
            released = []
            for worker in group:
                self._free.release(worker.resident, worker.placement)
                released.append(worker)
                if self._free.placement_for(job.resident, job.running):
                    self._decision.end += [worker.name for worker in released]
                    for worker in released:
                        self._idle[worker.pool].remove(worker)
                    break
            for worker in released:  # each holds its memory until its process has ended
                self._free.reserve(worker.resident, worker.placement)
            if self._decision.end:
                return

    def _is_of_use(self, worker: WorkerState) -> bool:
        """Tell whether a worker that will have jobs is on a GPU that computes: in its place another would only wait."""
        on_gpu = worker.placement.gpu is not None
        return on_gpu and self._is_computing(worker.placement) and self._expects_jobs(worker.pool)

    def _expects_jobs(self, pool: PoolName) -> bool:
        forecast = self._forecasts.get(pool)
        return forecast is not None and forecast.jobs > 0

    def _start_ahead(self) -> None:
        """Start a worker for each pool that expects jobs and has none, if a core and memory are free."""
        for pool, forecast in self._forecasts.items():
            if forecast.jobs > 0 and not self._live[pool]:
                self._start(pool, forecast.resident, forecast.running)
