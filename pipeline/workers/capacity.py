"""Account for resources: the cores, memory, memory of each GPU, and labels of each machine. Pure arithmetic.

A reservation is all or nothing. A worker holds its resident demand as long as it lives, and the demand of a job while
the job runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

_TOLERANCE = 1e-6  # sums of floating-point amounts


@dataclass(frozen=True)
class Demand:
    """An amount of each resource. Memory is in 10^6 bytes. Labels are resources that the user defines and counts, such
    as licences or encoders."""

    cpus: int = 0
    memory_mb: float = 0.0
    gpu_mb: float = 0.0
    labels: Mapping[str, float] = field(default_factory=dict)
    gpus: int = 0  # 1 for a job that computes on a GPU: two at once are no faster than one after the other


@dataclass(frozen=True)
class Host:
    """A machine that workers can run on. `gpus` holds the memory of each of its GPUs.

    A machine that is not present may come back, so a job that only it can run waits. `spare` is the number of jobs of
    one core that may run beyond its cores, as `make -j` is usually given one job more than there are cores: no job
    keeps all its cores busy all the time.
    """

    name: str
    cpus: int
    memory_mb: float
    gpus: tuple[float, ...] = ()
    labels: Mapping[str, float] = field(default_factory=dict)
    present: bool = True
    spare: int = 0


@dataclass(frozen=True)
class Placement:
    """A host, and the number of one of its GPUs or None."""

    host: str
    gpu: int | None = None


class FreeCapacity:
    """The free resources of each host that is present."""

    def __init__(self, hosts: Iterable[Host]) -> None:
        self._cpus: dict[str, int] = {}
        self._memory: dict[str, float] = {}
        self._labels: dict[tuple[str, str], float] = {}
        self._gpus: dict[Placement, float] = {}  # memory
        self._computing: set[Placement] = set()  # GPUs that compute a job
        self._hosts = {host.name: host for host in hosts if host.present}
        for host in self._hosts.values():
            self._cpus[host.name], self._memory[host.name] = host.cpus + host.spare, host.memory_mb
            self._labels |= {(host.name, label): amount for label, amount in host.labels.items()}
            self._gpus |= {Placement(host.name, number): memory for number, memory in enumerate(host.gpus)}

    def placement_for(
        self, demand: Demand, later: Demand, *, without: Collection[Placement] = (), last: Collection[Placement] = ()
    ) -> Placement | None:
        """Return a placement where `demand` is free now and `later` can become free, or None.

        Of several GPUs, one that computes nothing comes first, then the one with the most free memory: work that is
        spread is done sooner. Those in `without` are not chosen, and those in `last` only where no other is free.
        """
        placements = list(self._gpus) if demand.gpu_mb else [Placement(name) for name in self._cpus]
        suitable = [
            placement
            for placement in placements
            if self.fits(demand, placement) and self._can_become_free(later, placement)
        ]
        suitable = [placement for placement in suitable if placement not in without]
        return min(
            suitable,
            key=lambda placement: (placement in last, placement in self._computing, -self._gpus.get(placement, 0.0)),
            default=None,
        )

    def idle_gpus(self) -> list[Placement]:
        """Return the GPUs that compute nothing."""
        return [placement for placement in self._gpus if placement not in self._computing]

    def only_room_for(self, gpu_mb: float, beside_mb: float) -> Placement | None:
        """Return the one GPU on which `gpu_mb` is free, if there is only one, and no longer beside `beside_mb`."""
        roomy = [card for card, free_mb in self._gpus.items() if gpu_mb <= free_mb + _TOLERANCE]
        if len(roomy) == 1 and self._gpus[roomy[0]] < gpu_mb + beside_mb - _TOLERANCE:
            return roomy[0]
        return None

    def fits(self, demand: Demand, placement: Placement) -> bool:
        """Tell whether `demand` is free at `placement`."""
        return placement.host in self._hosts and (
            demand.cpus <= self._cpus[placement.host]
            and demand.memory_mb <= self._memory[placement.host] + _TOLERANCE
            and demand.gpu_mb <= self._gpus.get(placement, 0.0) + _TOLERANCE
            and not (demand.gpus and placement in self._computing)
            and all(amount <= self._free_label(placement, label) for label, amount in demand.labels.items())
        )

    def reserve(self, demand: Demand, placement: Placement) -> None:
        """Subtract `demand`, even beyond what is free: a running worker holds its resources in any case."""
        self._add(demand, placement, -1)

    def release(self, demand: Demand, placement: Placement) -> None:
        """Add `demand` to what is free."""
        self._add(demand, placement, 1)

    def _can_become_free(self, demand: Demand, placement: Placement) -> bool:
        host = self._hosts[placement.host]
        labels = all(amount <= host.labels.get(label, 0.0) for label, amount in demand.labels.items())
        return demand.cpus <= host.cpus and labels

    def _free_label(self, placement: Placement, label: str) -> float:
        return self._labels.get((placement.host, label), 0.0) + _TOLERANCE

    def _add(self, demand: Demand, placement: Placement, sign: int) -> None:
        if placement.host not in self._hosts:
            return
        self._cpus[placement.host] += sign * demand.cpus
        self._memory[placement.host] += sign * demand.memory_mb
        if placement in self._gpus:
            self._gpus[placement] += sign * demand.gpu_mb
            if demand.gpus:
                (self._computing.add if sign < 0 else self._computing.discard)(placement)
        for label, amount in demand.labels.items():
            self._labels[placement.host, label] = self._labels.get((placement.host, label), 0.0) + sign * amount


def clamp_to_largest_host(demand: Demand, hosts: Iterable[Host]) -> Demand | None:
    """Return the demand, limited to the largest host that has its labels, or None if no host has them.

    The result can be met when that host is empty. A declared demand is an estimate, so a job is tried on a smaller
    machine rather than refused.
    """
    suitable = [
        host for host in hosts if all(host.labels.get(name, 0.0) >= amount for name, amount in demand.labels.items())
    ]
    if demand.gpu_mb:
        suitable = [host for host in suitable if host.gpus] or suitable
    if not suitable:
        return None
    largest = max(suitable, key=lambda host: (max(host.gpus, default=0.0) if demand.gpu_mb else 0.0, host.memory_mb))
    return Demand(
        cpus=min(demand.cpus, largest.cpus),
        memory_mb=min(demand.memory_mb, largest.memory_mb),
        gpu_mb=min(demand.gpu_mb, max(largest.gpus, default=0.0)),
        labels=demand.labels,
        gpus=min(demand.gpus, len(largest.gpus)),
    )
