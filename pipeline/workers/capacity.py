"""Resource accounting: cores, memory, memory of each GPU, and labels of each machine. Pure arithmetic.

A grant is all or nothing. A worker holds its resident share as long as it lives, and a job's share while the job runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_TOLERANCE = 1e-6  # sums of floating-point amounts


@dataclass(frozen=True)
class Need:
    """An amount of everything. Memory is in 10^6 bytes; labels are whatever a user counts: licences, encoders."""

    cpus: int = 0
    memory_mb: float = 0.0
    gpu_mb: float = 0.0
    labels: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Host:
    """A machine that workers can run on. `gpus` holds the memory of each of its GPUs. One that is not present may come
    back: what only it can do waits. `spare` jobs of one core may run beyond its cores, as `make -j` is told one more
    than there are: no job keeps all that it was granted busy all the time."""

    name: str
    cpus: int
    memory_mb: float
    gpus: tuple[float, ...] = ()
    labels: Mapping[str, float] = field(default_factory=dict)
    present: bool = True
    spare: int = 0


@dataclass(frozen=True)
class Place:
    """A host, and one of its GPUs or none."""

    host: str
    gpu: int | None = None


class Ledger:
    """The free resources of each host that is present."""

    def __init__(self, hosts: Iterable[Host]) -> None:
        self._cpus: dict[str, int] = {}
        self._memory: dict[str, float] = {}
        self._labels: dict[tuple[str, str], float] = {}
        self._gpus: dict[Place, float] = {}
        self._whole = {host.name: host for host in hosts if host.present}
        for host in self._whole.values():
            self._cpus[host.name], self._memory[host.name] = host.cpus + host.spare, host.memory_mb
            self._labels |= {(host.name, label): amount for label, amount in host.labels.items()}
            self._gpus |= {Place(host.name, number): memory for number, memory in enumerate(host.gpus)}

    def place_for(self, need: Need, later: Need) -> Place | None:
        """Return a place where `need` is free and `later` could be too. Among GPUs it is the fullest one, so that the
        emptier ones stay free for larger models."""
        places = list(self._gpus) if need.gpu_mb else [Place(name) for name in self._cpus]
        roomy = [place for place in places if self.fits(need, place) and self._could_fit(later, place)]
        return min(roomy, key=lambda place: self._gpus.get(place, 0.0), default=None)

    def fits(self, need: Need, place: Place) -> bool:
        """Return whether `need` is free at `place`."""
        return place.host in self._whole and (
            need.cpus <= self._cpus[place.host]
            and need.memory_mb <= self._memory[place.host] + _TOLERANCE
            and need.gpu_mb <= self._gpus.get(place, 0.0) + _TOLERANCE
            and all(amount <= self._free_label(place, label) for label, amount in need.labels.items())
        )

    def take(self, need: Need, place: Place) -> None:
        """Grant it, whether it fits or not: what is held already is held."""
        self._add(need, place, -1)

    def give(self, need: Need, place: Place) -> None:
        """Have it back."""
        self._add(need, place, 1)

    def _could_fit(self, need: Need, place: Place) -> bool:
        host = self._whole[place.host]
        labels = all(amount <= host.labels.get(label, 0.0) for label, amount in need.labels.items())
        return need.cpus <= host.cpus and labels

    def _free_label(self, place: Place, label: str) -> float:
        return self._labels.get((place.host, label), 0.0) + _TOLERANCE

    def _add(self, need: Need, place: Place, sign: int) -> None:
        if place.host not in self._whole:
            return
        self._cpus[place.host] += sign * need.cpus
        self._memory[place.host] += sign * need.memory_mb
        if place in self._gpus:
            self._gpus[place] += sign * need.gpu_mb
        for label, amount in need.labels.items():
            self._labels[place.host, label] = self._labels.get((place.host, label), 0.0) + sign * amount


def clamped(need: Need, hosts: Iterable[Host]) -> Need | None:
    """The need, cut to the largest host that has its labels, so that it can be met once that one is empty; None where
    no host has them. A declaration is an estimate: a job is rather tried on a smaller machine than refused."""
    fitting = [host for host in hosts if all(host.labels.get(name, 0.0) >= much for name, much in need.labels.items())]
    if need.gpu_mb:
        fitting = [host for host in fitting if host.gpus] or fitting
    if not fitting:
        return None
    largest = max(fitting, key=lambda host: (max(host.gpus, default=0.0) if need.gpu_mb else 0.0, host.memory_mb))
    return Need(
        cpus=min(need.cpus, largest.cpus),
        memory_mb=min(need.memory_mb, largest.memory_mb),
        gpu_mb=min(need.gpu_mb, max(largest.gpus, default=0.0)),
        labels=need.labels,
    )
