"""The makespan of 20 films on machines with NVIDIA cards, simulated: the product's own decisions, and a clock.

    .venvs/core/bin/python benchmarks/cards.py [--files 20]

Nothing here computes on a card. Each stage takes the seconds and the memory that were published for an RTX 3090 or
estimated from there (see `STAGES`); a job has the card to itself, as it does in the product. The bound is what no order
could beat: the first file's way to a card, each card's share of the work with one load of each model, and the last
file's way from there. `--files` also changes how much the loads weigh.
"""

from __future__ import annotations

import argparse
import heapq
import random
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pipeline.workers.capacity import Demand, Host, Placement
from pipeline.workers.scheduler import LOADING, PoolForecast, QueuedJob, WorkerState, decide

_STOP_S = 0.5


@dataclass(frozen=True)
class SimulatedStage:
    """A stage of each file: seconds of a job and of a load, memory of its worker on a card, and what it waits for."""

    name: str
    needs: tuple[str, ...]
    job_s: float
    load_s: float = 0.3
    gpu_mb: float = 0.0
    pool: str = "lite"

    @property
    def demands(self) -> tuple[Demand, Demand]:
        """Return what its worker holds, and what its job holds."""
        return Demand(memory_mb=1000.0, gpu_mb=self.gpu_mb), Demand(cpus=1, gpus=1 if self.gpu_mb else 0)


# A film of 22 minutes on an RTX 3090. Whisper large-v3: 30 times real time in batches of 16 windows and 6.9 GB
# (faster-whisper's own table), booked with 7.3; Demucs, pyannote and alignment estimated from their authors' figures.
STAGES = (
    SimulatedStage("demux", (), 4.0),
    SimulatedStage("separate", ("demux",), 25.0, 4.0, 6900.0, "separate"),
    SimulatedStage("vad", ("separate",), 3.0),
    SimulatedStage("asr", ("vad",), 45.0, 12.0, 7300.0, "asr"),
    SimulatedStage("align", ("asr",), 12.0, 6.0, 2200.0, "align"),
    SimulatedStage("diarize", ("separate",), 30.0, 8.0, 2500.0, "diarize"),
    SimulatedStage("subtitle", ("align", "diarize"), 1.0),
    SimulatedStage("mux", ("subtitle",), 3.0),
)

MACHINES = {
    "8 GB": Host("box", 8, 1e6, (8000.0,)),
    "12 GB": Host("box", 8, 1e6, (12000.0,)),
    "24 GB": Host("box", 8, 1e6, (24000.0,)),
    "2 x 24 GB": Host("box", 16, 1e6, (24000.0,) * 2),
    "4 x 80 GB": Host("box", 32, 1e6, (80000.0,) * 4),
}


@dataclass
class Outcome:
    """A simulated run: its length, the seconds each card computed, and the most that its workers held of it."""

    makespan_s: float = 0.0
    card_s: Counter[int] = field(default_factory=Counter)
    peak_mb: Counter[int] = field(default_factory=Counter)
    loads: Counter[str] = field(default_factory=Counter)


class Simulation:
    """Carries decisions out in the order of time, as the dispatcher does.

    `holds` says what a worker really holds of a card where that is not what was booked, `factors` how much longer or
    shorter each file is than the stage's seconds.
    """

    def __init__(self, host: Host, stages: Sequence[SimulatedStage], factors: Sequence[float]) -> None:
        self._host, self._factors = host, factors
        self._stages = {stage.name: stage for stage in stages}
        self._depth = {name: index for index, name in enumerate(self._stages)}
        self._done: set[tuple[int, str]] = set()
        self._queue: dict[int, QueuedJob] = {}
        self._jobs: dict[int, tuple[int, str]] = {}
        self._workers: dict[str, WorkerState] = {}
        self._ends: list[tuple[float, str, int | None]] = []
        self._pools = {stage.pool: stage for stage in stages}
        self._left = Counter(stage.pool for stage in stages for _ in factors)
        self._measured: set[str] = set()
        self.outcome = Outcome()

    def run(self) -> Outcome:
        """Run to the end. Raises `AssertionError` if a card holds more than it has, or if nothing happens any more."""
        now = 0.0
        total = len(self._stages) * len(self._factors)
        while len(self._done) < total:
            self._enqueue()
            self._decide(now)
            assert self._ends, f"nothing happens any more, and {total - len(self._done)} jobs are left"
            now = self._ends[0][0]
            while self._ends and self._ends[0][0] <= now:
                self._finish(*heapq.heappop(self._ends))
        self.outcome.makespan_s = now
        return self.outcome

    def _enqueue(self) -> None:
        begun = set(self._jobs.values())
        for file in range(len(self._factors)):
            for name, stage in self._stages.items():
                ready = all((file, needed) in self._done for needed in stage.needs)
                if ready and (file, name) not in begun:
                    ticket = len(self._jobs) + 1
                    self._jobs[ticket] = file, name
                    order = (-float(self._depth[name]), float(file))
                    self._queue[ticket] = QueuedJob(ticket, stage.pool, order, *stage.demands)

    def _decide(self, now: float) -> None:
        forecasts = {
            pool: PoolForecast(
                self._left[pool], *stage.demands, stage.job_s if pool in self._measured else None, stage.load_s
            )
            for pool, stage in self._pools.items()
        }
        decision = decide(list(self._queue.values()), list(self._workers.values()), forecasts, [self._host])
        for ticket in decision.overtaken:
            self._queue[ticket] = replace(self._queue[ticket], overtaken=self._queue[ticket].overtaken + 1)
        for ticket, name in decision.assign:
            file, stage_name = self._jobs[ticket]
            seconds = self._stages[stage_name].job_s * self._factors[file]
            worker = self._workers[name]
            self._workers[name] = replace(worker, state="busy", running=self._queue.pop(ticket).running)
            if worker.placement.gpu is not None:
                self.outcome.card_s[worker.placement.gpu] += seconds  # type: ignore[assignment]  # a sum of floats
            heapq.heappush(self._ends, (now + seconds, name, ticket))
        for pool, placement in decision.start:
            self._start(pool, placement, now)
        for name in decision.end:
            self._workers[name] = replace(self._workers[name], state="ending")
            heapq.heappush(self._ends, (now + _STOP_S, name, None))

    def _start(self, pool: str, placement: Placement, now: float) -> None:
        self.outcome.loads[pool] += 1
        name = f"{pool}{self.outcome.loads[pool]}"
        stage = self._pools[pool]
        self._workers[name] = WorkerState(name, pool, placement, "starting", stage.demands[0], LOADING)
        heapq.heappush(self._ends, (now + stage.load_s, name, None))
        for number, memory_mb in enumerate(self._host.gpus):
            held = sum(worker.resident.gpu_mb for worker in self._workers.values() if worker.placement.gpu == number)
            self.outcome.peak_mb[number] = max(self.outcome.peak_mb[number], round(held))
            assert held <= memory_mb + 1e-3, f"card {number} holds {held:.0f} of {memory_mb:.0f} MB"

    def _finish(self, at: float, name: str, ticket: int | None) -> None:
        worker = self._workers[name]
        if worker.state == "ending":
            del self._workers[name]
            return
        self._workers[name] = replace(worker, state="idle", running=Demand(), idle_since=at)
        if ticket is not None:
            self._done.add(self._jobs[ticket])
            self._left[worker.pool] -= 1
            self._measured.add(worker.pool)
        computing = Counter(
            other.placement.gpu for other in self._workers.values() if other.state == "busy" and other.running.gpus
        )
        assert all(count <= 1 for gpu, count in computing.items() if gpu is not None), "two jobs on one card"


def bound_s(host: Host, stages: Sequence[SimulatedStage], factors: Sequence[float]) -> float:
    """Return the seconds that no order of the work could beat."""
    on_card = [stage for stage in stages if stage.gpu_mb]
    first = min(factors) * sum(stage.job_s for stage in stages[:1])
    last = min(factors) * sum(stage.job_s for stage in stages if stage.name in {"subtitle", "mux"})
    work_s = sum(factors) * sum(stage.job_s for stage in on_card)
    loads_s = min(stage.load_s for stage in on_card)  # the others could load while a card computes
    cores_s = sum(factors) * sum(stage.job_s for stage in stages) / host.cpus
    chain_s = max(factors) * sum(stage.job_s for stage in stages if stage.name != "diarize")
    return max(first + loads_s + work_s / len(host.gpus) + last, cores_s, chain_s)


def film_lengths(files: int, seed: int = 0) -> list[float]:
    """Return how much longer each film is than 22 minutes."""
    chance = random.Random(seed)
    return [chance.choice((0.5, 1.0, 1.0, 1.0, 2.0, 4.0)) for _ in range(files)]


def simulate(host: Host, files: int = 20, stages: Sequence[SimulatedStage] = STAGES) -> tuple[Outcome, float]:
    """Return the run of so many films on a machine, and its bound in seconds."""
    factors = film_lengths(files)
    return Simulation(host, stages, factors).run(), bound_s(host, stages, factors)


def _share(outcome: Outcome, cards: Mapping[int, float] | Sequence[float]) -> str:
    return " ".join(f"{100 * outcome.card_s[number] / outcome.makespan_s:.0f} %" for number in range(len(cards)))


def main() -> int:
    """Print a line for each machine, and exit with 1 if one takes more than 1.10 times its bound."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20)
    files = parser.parse_args().files
    late = False
    for name, host in MACHINES.items():
        outcome, least_s = simulate(host, files)
        ratio = outcome.makespan_s / least_s
        late |= ratio > 1.10
        loads = sum(count for pool, count in outcome.loads.items() if pool != "lite")
        print(
            f"{name:10} {outcome.makespan_s:6.0f} s, bound {least_s:6.0f} s, {ratio:.2f}; cards busy"
            f" {_share(outcome, host.gpus)}; {loads} loads; at most {max(outcome.peak_mb.values()) / 1000:.1f} GB"
        )
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
