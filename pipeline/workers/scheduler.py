"""Decide which job runs next and where, and which workers start and end. Pure: decisions over plain data.

The queue is first come, first served. Smaller jobs may overtake a job that lacks cores, but only a few times, so that
cores do not stay idle and no job waits forever. The slowest stage gets another worker where the remaining work pays for
its load, unless cores are the bottleneck. Where not all models fit into memory, a worker with waiting jobs stays, and a
worker without makes room: a group of files then goes through the plan stage by stage, and each model is loaded once a
group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Literal

from pipeline.workers.capacity import Host, Ledger, Need, Place

PASSES = 4  # how many jobs may overtake one that waits for cores
ROOM_PASSES = 64  # and one that waits for memory: giving way costs a load
LOADING = Need(cpus=1)
_NOTHING = Need()

Pool = str
"""The name of what makes workers interchangeable."""
Order = tuple[float, ...]
"""A job's place in the queue; the smallest is the first."""


@dataclass(frozen=True)
class Waiting:
    """A job that could begin. `passed` counts those that overtook it."""

    ticket: int
    pool: Pool
    order: Order
    resident: Need
    running: Need
    passed: int = 0


@dataclass(frozen=True)
class WorkerState:
    """A worker as the decisions see it. `running` is what its job holds, or its load."""

    name: str
    pool: Pool
    place: Place
    state: Literal["starting", "idle", "busy", "ending"]
    resident: Need
    running: Need = _NOTHING
    idle_since: float = 0.0


@dataclass(frozen=True)
class Outlook:
    """Facts about a pool: jobs to come, waiting ones included; seconds of a job and of a load; needs."""

    jobs: float
    resident: Need
    running: Need = _NOTHING
    job_s: float | None = None
    load_s: float = 0.0


@dataclass
class Decision:
    """Jobs to assign, workers to start, idle workers to end, jobs that were overtaken, and what each job left in the
    queue waits for."""

    assign: list[tuple[int, str]] = field(default_factory=list)
    start: list[tuple[Pool, Place]] = field(default_factory=list)
    end: list[str] = field(default_factory=list)
    passed: list[int] = field(default_factory=list)
    waits: dict[int, str] = field(default_factory=dict)


A_TURN, A_WORKER, A_CORE, MODELS = "its turn", "a worker of its kind", "a core", "its models to load"
MEMORY, GPU_MEMORY, LABEL = "memory", "memory of a GPU", "the label `{}`"


def decide(
    waiting: Sequence[Waiting], workers: Sequence[WorkerState], outlook: Mapping[Pool, Outlook], hosts: Sequence[Host]
) -> Decision:
    """The decisions for this moment. What is started or ended holds its grant until it is told to be gone."""
    return _Moment(waiting, workers, outlook, hosts).decide()


def is_worth_it(outlook: Outlook, workers: int) -> bool:
    """Return whether one more worker saves more time than it takes to load."""
    if outlook.job_s is None:
        return False
    remaining = outlook.jobs * outlook.job_s
    return remaining / workers - remaining / (workers + 1) > outlook.load_s + outlook.job_s


class _Moment:
    def __init__(
        self, waiting: Sequence[Waiting], workers: Sequence[WorkerState], outlook: Mapping[Pool, Outlook],
        hosts: Sequence[Host],
    ) -> None:  # fmt: skip
        self._waiting = sorted(waiting, key=attrgetter("order", "ticket"))
        self._outlook, self._workers = outlook, workers
        self._ledger = Ledger(hosts)
        self._cores = sum(host.cpus for host in hosts)
        for worker in workers:
            self._ledger.take(worker.resident, worker.place)
            self._ledger.take(worker.running, worker.place)
        self._idle: dict[Pool, list[WorkerState]] = {}
        for worker in sorted(workers, key=lambda one: one.idle_since):
            if worker.state == "idle":
                self._idle.setdefault(worker.pool, []).append(worker)  # the last used is taken first
        self._live = Counter(worker.pool for worker in workers if worker.state != "ending")
        self._starting = Counter(worker.pool for worker in workers if worker.state == "starting")
        self._ending = any(worker.state == "ending" for worker in workers)
        self._full: set[Pool] = set()  # whose workers all have work, and that get no other now
        self._decision = Decision()

    def decide(self) -> Decision:
        held_up: list[Waiting] = []
        self._decision.waits = dict.fromkeys((one.ticket for one in self._waiting), A_TURN)
        for one in self._waiting:
            if one.pool in self._full:
                self._decision.waits[one.ticket] = A_WORKER
                continue
            served = self._serve(one)
            if served:
                self._decision.passed += [earlier.ticket for earlier in held_up]
            elif served is False:
                if one.passed >= (PASSES if self._live[one.pool] else ROOM_PASSES):
                    return self._decision
                held_up.append(one)
        if not held_up and not self._ending:
            self._prepare()
        return self._decision

    def _serve(self, one: Waiting) -> bool | None:
        """True: the job got a worker, or one was started for it. False: a resource that it needs is not free. None: it
        waits for a worker of its own pool, which does not concern other jobs."""
        waits = self._decision.waits
        if idle := self._idle.get(one.pool):
            # The one whose host has room; as a rule there is one host.
            for worker in reversed(idle):
                if self._ledger.fits(one.running, worker.place):
                    idle.remove(worker)
                    self._ledger.take(one.running, worker.place)
                    self._decision.assign.append((one.ticket, worker.name))
                    del waits[one.ticket]
                    return True
            waits[one.ticket] = self._lacking(Need(), one.running)
            return False
        waits[one.ticket] = MODELS
        if self._starting[one.pool]:
            self._starting[one.pool] -= 1  # that one is for this job
            return None
        if self._live[one.pool]:
            if self._is_bottleneck(one.pool) and self._start(one.pool, one.resident, one.running):
                return True
            self._full.add(one.pool)
            waits[one.ticket] = A_WORKER
            return None
        if self._start(one.pool, one.resident, one.running):
            return True
        waits[one.ticket] = self._lacking(one.resident, one.running)
        self._make_room(one)
        return False

    def _lacking(self, resident: Need, running: Need) -> str:
        """Return in a word what a job that fits nowhere now waits for."""
        if not self._ledger.place_for(Need(memory_mb=resident.memory_mb), Need()):
            return MEMORY
        if resident.gpu_mb and not self._ledger.place_for(Need(gpu_mb=resident.gpu_mb), Need()):
            return GPU_MEMORY
        for label in running.labels:
            if not self._ledger.place_for(Need(labels={label: running.labels[label]}), Need()):
                return LABEL.format(label)
        return A_CORE

    def _is_bottleneck(self, pool: Pool) -> bool:
        """Return whether this pool would finish last, later than the cores alone would allow, and another worker pays.
        As long as the cost of some pool is unknown, so is the slowest one, and the answer is no."""
        mine = self._outlook.get(pool)
        if mine is None or not is_worth_it(mine, self._live[pool]):
            return False
        busy = [other for other, outlook in self._outlook.items() if outlook.jobs]
        if any(self._outlook[other].job_s is None for other in busy):
            return False
        work = sum(o.jobs * (o.job_s or 0.0) * max(o.running.cpus, 1) for o in self._outlook.values())
        others = (self._left(other) for other in busy if self._live[other])
        return self._left(pool) >= max(others, default=0.0) and self._left(pool) > work / self._cores

    def _left(self, pool: Pool) -> float:
        outlook = self._outlook[pool]
        return outlook.jobs * (outlook.job_s or 0.0) / self._live[pool]

    def _start(self, pool: Pool, resident: Need, running: Need) -> bool:
        need = Need(resident.cpus + LOADING.cpus, resident.memory_mb, resident.gpu_mb, resident.labels)
        place = self._ledger.place_for(need, running)
        if place is None:
            return False
        self._ledger.take(need, place)
        self._live[pool] += 1
        self._decision.start.append((pool, place))
        return True

    def _make_room(self, one: Waiting) -> None:
        """End idle workers so that another can live there: first those with nothing to come, then the longest idle."""
        forced = one.passed >= ROOM_PASSES
        given = {ticket for ticket, _ in self._decision.assign}
        queued = {other.pool for other in self._waiting if other.ticket not in given}
        spare = [
            worker
            for pool, idle in self._idle.items()
            for worker in idle
            if pool != one.pool and (forced or pool not in queued)
        ]
        spare.sort(key=lambda worker: (self._has_future(worker.pool), worker.idle_since))
        if self._ledger.place_for(one.resident, one.running):
            return  # memory is there, a core is not
        for host in {worker.place.host for worker in spare}:
            ended = []
            for worker in (worker for worker in spare if worker.place.host == host):
                self._ledger.give(worker.resident, worker.place)
                ended.append(worker)
                if self._ledger.place_for(one.resident, one.running):
                    self._decision.end += [worker.name for worker in ended]
                    for gone in ended:
                        self._idle[gone.pool].remove(gone)
                    break
            for worker in ended:  # theirs until they are gone
                self._ledger.take(worker.resident, worker.place)
            if self._decision.end:
                return

    def _has_future(self, pool: Pool) -> bool:
        outlook = self._outlook.get(pool)
        return outlook is not None and outlook.jobs > 0

    def _prepare(self) -> None:
        """Load on a free core what will surely be needed, if there is room."""
        for pool, outlook in self._outlook.items():
            if outlook.jobs > 0 and not self._live[pool]:
                self._start(pool, outlook.resident, outlook.running)
