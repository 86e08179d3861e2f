"""Keep the books of the worker pools: the demands of each, the jobs that it expects, and where a start has failed.

A pool is a set of workers that can stand in for each other, because they loaded the same. The dispatcher asks this
module for a step's pool and for the forecasts that the scheduler needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.base.errors import Missing
from pipeline.plan.llm_services import service_of
from pipeline.plan.model import Step
from pipeline.plan.oom_fallback import card_mb
from pipeline.store.worker_stats import Measurements
from pipeline.workers.capacity import Demand, clamp_to_largest_host
from pipeline.workers.card_failures import CardFailures
from pipeline.workers.card_memory import CONTEXT_MB
from pipeline.workers.interfaces import WorkerHost, WorkerKey
from pipeline.workers.scheduler import PoolForecast, PoolName
from shared import protocol
from shared.stage import Resources


@dataclass(frozen=True)
class Pool:
    """A pool of workers, with the demands of a worker (`resident`) and of a job (`running`)."""

    key: WorkerKey
    load: protocol.Load | None  # None if backends without models share the workers, and each is loaded on first use
    resident: Demand
    running: Demand

    @property
    def name(self) -> PoolName:
        """Return the name by which the scheduler and the measurements know the pool."""
        return self.key.name


class Pools:
    """All pools of a run. Their demands start as declared by the backends, and are replaced by what is measured."""

    def __init__(self, host: WorkerHost, measurements: Measurements, cards: CardFailures) -> None:
        self._host, self._measurements, self._cards = host, measurements, cards
        self._pools: dict[PoolName, Pool] = {}
        self._expected: dict[PoolName, float] = {}
        self._failed: set[PoolName] = set()

    def __getitem__(self, name: PoolName) -> Pool:
        """Return the pool of this name, with its present demands."""
        return self._pools[name]

    def pool_of(self, step: Step, models: Mapping[str, Path]) -> Pool:
        """Return the pool whose workers can run the step. Raises `Missing` if no machine has the labels that it needs.

        `models` maps roles to verified snapshots.
        """
        key = worker_key(step, max((host.cpus for host in self._host.hosts), default=1))
        if key.name not in self._pools:
            declared = Pool(
                key,
                load_request(step, models, key, prove=self._cards.to_prove(step)) if key.stage else None,
                _declared_demand(step, models),
                _running_demand(key, step.backend.resources),
            )
            self._pools[key.name] = self._with_measured_demands(declared)
        return self._pools[key.name]

    def expect(self, pool: Pool, jobs: float) -> None:
        """Add to the number of jobs that the pool expects. A negative number subtracts from it."""
        self._expected[pool.name] = max(self._expected.get(pool.name, 0.0) + jobs, 0.0)

    def start_failed(self, name: PoolName) -> None:
        """Record that a worker could not start, so that none is started ahead of the next job, which gets the error."""
        self._failed.add(name)

    def job_queued(self, name: PoolName) -> None:
        """Record that a job waits for the pool, so that a failed start is tried again."""
        self._failed.discard(name)

    def record_load(self, name: PoolName, seconds: float) -> None:
        """Record the seconds that a worker took to load a backend."""
        self._measurements.record_load(name, seconds)

    def record_job(self, name: PoolName, done: protocol.Done) -> None:
        """Record what a job used. If its worker held more memory than was booked, the demand of the pool rises."""
        gpu_mb = done.gpu_memory_mb + CONTEXT_MB if done.gpu_memory_mb else None
        self._measurements.record_job(name, done.seconds, done.memory_mb, gpu_mb)
        self._pools[name] = self._with_measured_demands(self._pools[name])

    def record_gpu_memory(self, name: PoolName, gpu_mb: float) -> None:
        """Record what the driver says that a worker holds of a card: its context and every library included."""
        if gpu_mb > (self._measurements.of(name).gpu_mb or 0.0):
            self._measurements.record_gpu_memory(name, gpu_mb)
            self._pools[name] = self._with_measured_demands(self._pools[name])

    def forecasts(self, unstarted_per_active: float) -> dict[PoolName, PoolForecast]:
        """Return the forecast of each pool. The files that are not started yet are assumed to need, each, the jobs that
        an active file needs on average."""
        found: dict[PoolName, PoolForecast] = {}
        for name, pool in self._pools.items():
            measured = self._measurements.of(name)
            jobs = 0.0 if name in self._failed else self._expected.get(name, 0.0) * (1 + unstarted_per_active)
            found[name] = PoolForecast(jobs, pool.resident, pool.running, measured.job_s, measured.load_s or 0.0)
        return found

    def all_fit(self) -> bool:
        """Tell whether a worker of each pool fits into the machines at the same time."""
        memory_mb = sum(host.memory_mb for host in self._host.hosts)
        gpu_mb = sum(sum(host.gpus) for host in self._host.hosts)
        demands = [pool.resident for pool in self._pools.values()]
        return (
            sum(demand.memory_mb for demand in demands) <= memory_mb
            and sum(demand.gpu_mb for demand in demands) <= gpu_mb
        )

    def _with_measured_demands(self, pool: Pool) -> Pool:
        """Return the pool with measured instead of declared memory where there are measurements, limited to the largest
        machine. Raises `Missing` if no machine has the labels."""
        measured, device = self._measurements.of(pool.name), pool.key.device
        memory_mb = measured.memory_mb or pool.resident.memory_mb
        if device == "mps":  # what Metal holds is not a part of a process's resident memory
            memory_mb = max(memory_mb, pool.resident.memory_mb)
        gpu_mb = (measured.gpu_mb or pool.resident.gpu_mb) if device == "cuda" else 0.0
        demand = replace(pool.running, memory_mb=memory_mb, gpu_mb=gpu_mb)
        limited = clamp_to_largest_host(demand, self._host.hosts)
        if limited is None:
            raise missing_label(pool)
        return replace(
            pool,
            resident=Demand(memory_mb=limited.memory_mb, gpu_mb=limited.gpu_mb),
            running=Demand(cpus=limited.cpus, labels=limited.labels, gpus=limited.gpus),
        )


def _declared_demand(step: Step, models: Mapping[str, Path]) -> Demand:
    """Return the memory that a backend declares for the step's device. Apple's GPU uses the machine's own memory, which
    is booked once."""
    memory_mb = step.backend.resources.memory_gib * 2**30 / 1e6
    if step.device == "cpu":
        return Demand(memory_mb=memory_mb)
    size = sum(file.stat().st_size for folder in models.values() for file in folder.rglob("*") if file.is_file())
    gpu_mb = card_mb(step, size)
    if gpu_mb is None:
        gpu_mb = card_mb(replace(step, fallback=None), size) or 0.0
    if step.device == "mps":
        return Demand(memory_mb=max(memory_mb, gpu_mb))
    return Demand(memory_mb=memory_mb, gpu_mb=gpu_mb + CONTEXT_MB if gpu_mb else 0.0)


def _running_demand(key: WorkerKey, resources: Resources) -> Demand:
    """Return the demand of a job. On a card the processor only feeds it, which takes one core."""
    on_card = key.device == "cuda"
    return Demand(cpus=1 if on_card else key.threads, labels=resources.labels, gpus=1 if on_card else 0)


def missing_label(pool: Pool) -> Missing:
    """Return the error for a pool whose labels no machine has."""
    labels = ", ".join(pool.running.labels) or "a machine"
    return Missing(
        "scheduler.label",
        f"{pool.key.label} needs {labels}, which no machine has",
        hint="declare what the machine has in the setting `labels`",
    )


def worker_key(step: Step, cpus: int) -> WorkerKey:
    """Return the key of the workers that can run the step, on machines of at most `cpus` cores.

    A backend with models, load options, labels or a service has workers of its own. The other backends of an
    environment share workers.
    """
    models, options = tuple(sorted(step.models.items())), tuple(sorted(step.load_options.items()))
    service = service_of(step)
    own = bool(models or options or step.backend.resources.labels or service)
    return WorkerKey(
        environment=step.environment,
        stage=step.stage.name if own else "",
        backend=step.backend_name if own else "",
        models=models,
        tools=step.backend.tools,
        device=step.device,
        threads=min(step.backend.resources.cpus, cpus) if own else 1,
        options=options,
        service_key=service.key if service else "",
    )


def load_request(step: Step, models: Mapping[str, Path], key: WorkerKey, prove: str = "") -> protocol.Load:
    """Return the request that loads the step's backend into a worker with this key. `prove` names a library that is to
    prove first that it computes on the card."""
    return protocol.Load(
        stage=step.stage.name,
        stage_module=step.stage.module,
        backend=step.backend_name,
        backend_module=step.backend.module,
        models={role: str(path) for role, path in models.items()},
        device=key.device,
        threads=key.threads,
        options=dict(step.load_options),
        prove=prove,
    )
