"""Scheduling decisions: no resource is granted twice, no job waits forever, and every job is done in the end."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from pipeline.workers.capacity import Demand, FreeCapacity, Host, Placement, clamp_to_largest_host
from pipeline.workers.scheduler import (
    LOADING,
    MAX_OVERTAKEN,
    MAX_OVERTAKEN_FOR_MEMORY,
    PoolForecast,
    QueuedJob,
    WorkerState,
    decide,
    pays_off,
)
from tests.conftest import examples

BOX = Host("box", cpus=2, memory_mb=1000)
SMALL = Demand(memory_mb=100)
ONE, TWO = Demand(cpus=1), Demand(cpus=2)


def queued(ticket: int, pool: str, *order: float, resident: Demand = SMALL, running: Demand = ONE) -> QueuedJob:
    return QueuedJob(ticket, pool, order, resident, running)


def idle(name: str, pool: str, since: float = 0.0, resident: Demand = SMALL) -> WorkerState:
    return WorkerState(name, pool, Placement("box"), "idle", resident, Demand(), since)


def busy(name: str, pool: str, running: Demand = ONE, resident: Demand = SMALL) -> WorkerState:
    return WorkerState(name, pool, Placement("box"), "busy", resident, running)


def test_the_first_in_order_gets_the_idle_worker() -> None:
    decision = decide([queued(1, "asr", 2), queued(2, "asr", 1)], [idle("w", "asr")], {}, [BOX])
    assert decision.assign == [(2, "w")]
    assert decision.start == []


def test_a_job_that_lacks_cores_is_overtaken_a_few_times_and_then_no_more() -> None:
    workers = [busy("b", "vad"), idle("w", "asr"), idle("v", "align")]
    large = queued(1, "asr", 0, running=TWO)
    decision = decide([large, queued(2, "align", 1)], workers, {}, [BOX])
    assert decision.assign == [(2, "v")]
    assert decision.overtaken == [1]
    assert decide([replace(large, overtaken=MAX_OVERTAKEN), queued(2, "align", 1)], workers, {}, [BOX]).assign == []


def test_a_small_job_may_run_beside_one_that_takes_all_cores() -> None:
    workers = [busy("w1", "asr", running=TWO), idle("w2", "align"), idle("w3", "vad")]
    small = [queued(1, "align", 1), queued(2, "vad", 2)]
    assert decide(small, workers, {}, [BOX]).assign == []
    assert decide(small, workers, {}, [replace(BOX, spare=1)]).assign == [(1, "w2")]


def test_another_worker_is_added_only_if_the_remaining_work_pays_for_its_load() -> None:
    queue = [queued(1, "asr", 0)]
    rich = {"asr": PoolForecast(20, SMALL, job_s=5, load_s=10)}
    assert decide(queue, [busy("w", "asr")], rich, [BOX]).start == [("asr", Placement("box"))]
    poor = {"asr": PoolForecast(3, SMALL, job_s=5, load_s=10)}
    assert decide(queue, [busy("w", "asr")], poor, [BOX]).start == []
    assert not pays_off(PoolForecast(100, SMALL), 1), "the seconds of a job are not known yet"


def test_only_the_slowest_stage_gets_another_worker() -> None:
    forecasts = {"asr": PoolForecast(20, SMALL, ONE, 5, 1), "vad": PoolForecast(20, SMALL, ONE, 1, 1)}
    workers = [busy("w", "asr"), busy("v", "vad")]
    large = Host("box", cpus=8, memory_mb=1000)
    decision = decide([queued(1, "vad", 0), queued(2, "asr", 1)], workers, forecasts, [large])
    assert [pool for pool, _ in decision.start] == ["asr"]


def test_no_worker_is_added_if_cores_are_the_bottleneck() -> None:
    forecasts = {"asr": PoolForecast(20, SMALL, ONE, 5, 1), "mt": PoolForecast(20, SMALL, ONE, 5, 1)}
    queue, workers = [queued(1, "asr", 0)], [busy("w", "asr"), busy("v", "mt")]
    assert decide(queue, workers, forecasts, [BOX]).start == []
    # A spare job of one core could start another worker, and still nothing is gained by it.
    spare = Host("box", 2, 1000, spare=1)
    assert decide(queue, workers, forecasts, [spare]).start == []
    assert decide(queue, workers, {**forecasts, "mt": PoolForecast(1, SMALL, ONE, 5, 1)}, [spare]).start == [
        ("asr", Placement("box"))
    ]
    assert decide(queue, workers, forecasts, [Host("box", 4, 1000)]).start == [("asr", Placement("box"))]
    forecasts["vad"] = PoolForecast(20, SMALL, ONE)  # the seconds of its jobs are not known yet
    assert ("asr", Placement("box")) not in decide(queue, workers, forecasts, [Host("box", 4, 1000)]).start


def test_an_idle_worker_makes_room_unless_it_has_jobs_waiting() -> None:
    whole = Demand(memory_mb=900)
    workers = [idle("w", "asr", resident=whole)]
    assert decide([queued(1, "mt", 0, resident=whole)], workers, {}, [BOX]).end == ["w"]
    both = [queued(1, "mt", 0, resident=whole), queued(2, "asr", 1)]
    decision = decide(both, workers, {}, [BOX])
    assert decision.end == []
    assert decision.assign == [(2, "w")], "queued jobs of the resident worker run first"
    forced = [replace(both[0], overtaken=MAX_OVERTAKEN_FOR_MEMORY), both[1]]
    assert decide(forced, workers, {}, [BOX]).end == ["w"], "but no job waits forever"


def test_the_first_idle_worker_to_end_expects_no_jobs_and_the_next_was_idle_longest() -> None:
    resident = Demand(memory_mb=400)
    workers = [idle("old", "a", 1, resident), idle("new", "b", 2, resident)]
    wanted = [queued(1, "c", 0, resident=resident)]
    assert decide(wanted, workers, {}, [BOX]).end == ["old"]
    assert decide(wanted, workers, {"a": PoolForecast(5, resident)}, [BOX]).end == ["new"]


def test_a_worker_is_started_ahead_on_a_free_core_only() -> None:
    forecasts = {"asr": PoolForecast(1, SMALL)}
    assert decide([], [busy("v", "vad")], forecasts, [BOX]).start == [("asr", Placement("box"))]
    assert decide([], [busy("v", "vad", TWO)], forecasts, [BOX]).start == []


def test_a_model_is_placed_on_a_gpu_with_enough_free_memory() -> None:
    host = Host("box", 8, 1000, gpus=(8000, 24000))
    large, small = Demand(gpu_mb=20000), Demand(gpu_mb=6000)
    decision = decide([queued(1, "llm", 0, resident=large), queued(2, "asr", 1, resident=small)], [], {}, [host])
    assert decision.start == [("llm", Placement("box", 1)), ("asr", Placement("box", 0))]


def test_a_job_is_placed_on_a_host_that_has_its_label() -> None:
    hosts = [BOX, Host("b", 2, 1000, labels={"nvenc": 1})]
    demand = clamp_to_largest_host(Demand(cpus=1, labels={"nvenc": 1}), hosts)
    assert demand is not None
    assert FreeCapacity(hosts).placement_for(demand, demand) == Placement("b")
    assert clamp_to_largest_host(Demand(labels={"fpga": 1}), hosts) is None


def test_a_declared_demand_beyond_the_machine_is_limited_to_it() -> None:
    assert clamp_to_largest_host(Demand(cpus=64, memory_mb=1e6), [BOX]) == Demand(cpus=2, memory_mb=1000)


@dataclass
class Simulation:
    """Carries decisions out in steps of time, as the dispatcher does, and checks the reservations after each."""

    hosts: tuple[Host, ...]
    jobs: list[tuple[int, QueuedJob, int]]  # time of arrival, job, duration
    seconds: dict[int, int]

    def run(self) -> list[int]:
        done: list[int] = []
        queue: dict[int, QueuedJob] = {}
        workers: dict[str, WorkerState] = {}
        ends: dict[str, tuple[int, int | None]] = {}
        demands = {one.pool: (one.resident, one.running) for _, one, _ in self.jobs}
        started = now = 0
        while len(done) < len(self.jobs):
            assert now < 1_000, f"still waiting after {now} steps: {sorted(queue)}"
            queue |= {one.ticket: one for at, one, _ in self.jobs if at == now}
            for name, (end, ticket) in list(ends.items()):
                if end <= now:
                    del ends[name]
                    if workers[name].state == "ending":
                        del workers[name]
                        continue
                    workers[name] = replace(workers[name], state="idle", running=Demand(), idle_since=float(now))
                    done += [ticket] if ticket is not None else []
            forecasts = {
                pool: PoolForecast(count, *demands[pool], 3, 2)
                for pool, count in Counter(one.pool for one in queue.values()).items()
            }
            decision = decide(list(queue.values()), list(workers.values()), forecasts, self.hosts)
            for ticket in decision.overtaken:
                queue[ticket] = replace(queue[ticket], overtaken=queue[ticket].overtaken + 1)
            for ticket, name in decision.assign:
                assert workers[name].state == "idle"
                assert workers[name].pool == queue[ticket].pool
                workers[name] = replace(workers[name], state="busy", running=queue.pop(ticket).running)
                ends[name] = now + self.seconds[ticket], ticket
            for pool, placement in decision.start:
                started += 1
                name = f"w{started}"
                workers[name] = WorkerState(name, pool, placement, "starting", demands[pool][0], LOADING)
                ends[name] = now + 2, None
            for name in decision.end:
                assert workers[name].state == "idle"
                workers[name] = replace(workers[name], state="ending")
                ends[name] = now + 1, None
            self._check(list(workers.values()))
            now += 1
        return done

    def _check(self, workers: list[WorkerState]) -> None:
        for host in self.hosts:
            there = [worker for worker in workers if worker.placement.host == host.name]
            assert sum(worker.running.cpus for worker in there) <= host.cpus + host.spare
            assert sum(worker.resident.memory_mb for worker in there) <= host.memory_mb
            for number, memory in enumerate(host.gpus):
                assert sum(w.resident.gpu_mb for w in there if w.placement.gpu == number) <= memory


@st.composite
def simulations(draw: st.DrawFn) -> Simulation:
    hosts = tuple(
        Host(
            f"h{n}",
            draw(st.integers(1, 4)),
            draw(st.integers(200, 1000)),
            tuple(draw(st.lists(st.just(500), max_size=2))),
            spare=draw(st.integers(0, 1)),
        )
        for n in range(draw(st.integers(1, 2)))
    )
    demands = {}
    for pool in ("a", "b", "c", "d")[: draw(st.integers(1, 4))]:
        wanted = Demand(draw(st.integers(1, 4)), draw(st.integers(50, 900)), draw(st.sampled_from([0, 0, 300, 500])))
        demand = clamp_to_largest_host(wanted, hosts)
        assert demand is not None
        demands[pool] = Demand(memory_mb=demand.memory_mb, gpu_mb=demand.gpu_mb), Demand(cpus=demand.cpus)
    jobs, seconds = [], {}
    for ticket in range(draw(st.integers(1, 25))):
        pool = draw(st.sampled_from(sorted(demands)))
        order = (draw(st.integers(0, 3)), ticket)
        jobs.append((draw(st.integers(0, 20)), QueuedJob(ticket, pool, order, *demands[pool]), 0))
        seconds[ticket] = draw(st.integers(1, 6))
    return Simulation(hosts, jobs, seconds)


@examples(1.5)
@given(simulations())
def test_no_resource_is_granted_twice_and_every_job_is_done(simulation: Simulation) -> None:
    done = simulation.run()
    assert sorted(done) == [one.ticket for _, one, _ in simulation.jobs]


def test_no_job_starves_under_a_stream_of_smaller_jobs() -> None:
    jobs = [(0, queued(0, "large", 0, running=TWO), 0)]
    jobs += [(n // 2, queued(n, "small", 1, n), 0) for n in range(1, 200)]
    done = Simulation((BOX,), jobs, dict.fromkeys(range(200), 3)).run()
    assert done.index(0) < 20


def test_two_models_that_do_not_fit_together_take_turns_by_the_group_of_files_not_by_the_job() -> None:
    whole = Demand(memory_mb=900)
    jobs = [(0, queued(n, "ab"[n % 2], 0, n, resident=whole), 0) for n in range(40)]
    simulation = Simulation((BOX,), jobs, dict.fromkeys(range(40), 1))
    order = simulation.run()
    switches = sum(one % 2 != other % 2 for one, other in itertools.pairwise(order))
    assert switches == 1
