"""Cards in the schedule: one job at a time on each, never more memory than there is, and all of them at work."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from benchmarks.cards import MACHINES, STAGES, SimulatedStage, Simulation, bound_s, film_lengths, simulate
from pipeline.workers.capacity import Demand, Host, Placement
from pipeline.workers.scheduler import A_GPU, PoolForecast, QueuedJob, WorkerState, decide

ON_GPU = Demand(cpus=1, gpus=1)
TWO_CARDS = Host("box", 8, 1e5, (24000.0, 24000.0))


def resident(gpu_mb: float) -> Demand:
    return Demand(memory_mb=100, gpu_mb=gpu_mb)


def queued(ticket: int, pool: str, gpu_mb: float) -> QueuedJob:
    return QueuedJob(ticket, pool, (ticket,), resident(gpu_mb), ON_GPU)


def worker(name: str, pool: str, gpu: int, gpu_mb: float, *, busy: bool = False) -> WorkerState:
    running = ON_GPU if busy else Demand()
    return WorkerState(name, pool, Placement("box", gpu), "busy" if busy else "idle", resident(gpu_mb), running)


@pytest.mark.parametrize("name", MACHINES)
def test_twenty_films_take_little_longer_than_no_order_could_beat(name: str) -> None:
    outcome, least_s = simulate(MACHINES[name])
    assert outcome.makespan_s <= 1.10 * least_s


def test_every_card_of_four_has_its_share_of_the_work() -> None:
    outcome, _ = simulate(MACHINES["4 x 80 GB"])
    shares = [outcome.card_s[number] / outcome.makespan_s for number in range(4)]
    assert min(shares) > 0.75, shares


def test_models_that_do_not_fit_together_are_loaded_a_few_times_and_not_for_every_file() -> None:
    outcome, _ = simulate(MACHINES["8 GB"])
    loads = sum(count for pool, count in outcome.loads.items() if pool != "lite")
    assert loads <= 8


@pytest.mark.parametrize("seeds", [range(50), pytest.param(range(50, 1050), marks=pytest.mark.slow)], ids=str)
def test_no_card_ever_holds_more_than_it_has_nor_computes_two_jobs(seeds: range) -> None:
    """The simulation asserts both at every moment, and that everything is done in the end."""
    for seed in seeds:
        chance = random.Random(seed)
        memory = [chance.choice((4000.0, 6000.0, 8000.0, 12000.0, 24000.0)) for _ in range(chance.choice((1, 1, 2, 4)))]
        host = Host("box", chance.choice((2, 4, 8)), 1e6, tuple(memory), spare=chance.choice((0, 1)))
        stages = [_stretched(stage, chance, max(memory)) for stage in STAGES]
        Simulation(host, stages, film_lengths(chance.randint(1, 4), seed)).run()


def _stretched(stage: SimulatedStage, chance: random.Random, largest_mb: float) -> SimulatedStage:
    """The stage with other seconds and another memory, cut to the largest card as pools are."""
    gpu_mb = min(stage.gpu_mb * chance.uniform(0.5, 2.0), largest_mb)
    return replace(
        stage, job_s=stage.job_s * chance.uniform(0.2, 3.0), load_s=stage.load_s * chance.uniform(0.2, 3.0),
        gpu_mb=gpu_mb,
    )  # fmt: skip


def test_the_bound_is_no_more_than_one_card_needs_for_everything() -> None:
    lengths = film_lengths(20)
    one, four = (bound_s(MACHINES[name], STAGES, lengths) for name in ("24 GB", "4 x 80 GB"))
    assert four < one < sum(lengths) * sum(stage.job_s for stage in STAGES)


def test_a_job_waits_for_a_card_that_computes_and_one_of_the_processor_does_not_wait_with_it() -> None:
    workers = [worker("s", "separate", 0, 3500, busy=True), worker("a", "asr", 0, 6900)]
    cpu = QueuedJob(2, "mux", (2,), Demand(memory_mb=100), Demand(cpus=1))
    host = Host("box", 8, 1e5, (24000.0,))
    decision = decide([queued(1, "asr", 6900), cpu], workers, {}, [host])
    assert decision.assign == []
    assert decision.wait_reasons[1] == A_GPU
    assert [pool for pool, _ in decision.start] == ["mux"]
    assert decision.overtaken == []


def test_work_goes_to_the_emptiest_card_and_never_twice_to_one() -> None:
    forecasts = {"asr": PoolForecast(20, resident(6900), ON_GPU, 45, 12)}
    workers = [worker("s", "separate", 0, 3500)]
    first = decide([queued(1, "asr", 6900)], workers, forecasts, [TWO_CARDS])
    assert first.start == [("asr", Placement("box", 1))]
    workers = [worker("a", "asr", 1, 6900, busy=True), worker("s", "separate", 0, 3500)]
    second = decide([queued(2, "asr", 6900)], workers, forecasts, [TWO_CARDS])
    assert second.start == [("asr", Placement("box", 0))]
    workers += [worker("b", "asr", 0, 6900, busy=True)]
    assert decide([queued(3, "asr", 6900)], workers, forecasts, [TWO_CARDS]).start == []


def test_a_second_worker_is_not_loaded_for_a_card_where_little_is_left_to_do() -> None:
    forecasts = {"asr": PoolForecast(1, resident(6900), ON_GPU, 45, 12)}
    workers = [worker("a", "asr", 1, 6900, busy=True)]
    assert decide([queued(2, "asr", 6900)], workers, forecasts, [TWO_CARDS]).start == []


def test_the_only_card_with_room_for_a_larger_model_is_left_to_it() -> None:
    host = Host("box", 8, 1e5, (8000.0, 24000.0))
    forecasts = {"llm": PoolForecast(1, resident(20000), ON_GPU)}
    assert decide([queued(1, "asr", 6900)], [], forecasts, [host]).start[0] == ("asr", Placement("box", 0))
    assert decide([queued(1, "asr", 6900)], [], {}, [host]).start[0] == ("asr", Placement("box", 1))


def test_room_is_made_on_one_card_only() -> None:
    workers = [worker("a", "align", 0, 20000), worker("b", "diarize", 1, 20000), worker("c", "separate", 1, 3000)]
    assert decide([queued(1, "asr", 6900)], workers, {}, [TWO_CARDS]).end == ["a"]


def test_a_worker_on_another_card_is_not_ended_though_it_has_been_idle_for_longer() -> None:
    workers = [worker("a", "align", 0, 20000), worker("b", "diarize", 1, 20000, busy=True)]
    workers += [replace(worker("c", "separate", 1, 3000), idle_since=-100.0)]
    assert decide([queued(1, "asr", 6900)], workers, {}, [TWO_CARDS]).end == ["a"]


def test_a_worker_with_jobs_to_come_keeps_its_place_as_long_as_its_card_computes() -> None:
    host = Host("box", 8, 1e5, (8000.0,))
    forecasts = {"asr": PoolForecast(5, resident(6000), ON_GPU, 45, 12)}
    workers = [worker("a", "asr", 0, 6000), worker("v", "vad", 0, 500, busy=True)]
    assert decide([queued(1, "separate", 3500)], workers, forecasts, [host]).end == []
    workers[1] = worker("v", "vad", 0, 500)
    assert decide([queued(1, "separate", 3500)], workers, forecasts, [host]).end != []
