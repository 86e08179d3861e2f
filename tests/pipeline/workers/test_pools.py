"""Pools of workers: which steps share one, what its workers are booked with, and the jobs that it expects."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import Missing
from pipeline.base.events import Emit
from pipeline.plan.model import Step
from pipeline.store.worker_stats import Measurements
from pipeline.workers.capacity import Demand, Host, Placement
from pipeline.workers.card_failures import CardFailures
from pipeline.workers.card_memory import CONTEXT_MB
from pipeline.workers.interfaces import WorkerHandle, WorkerKey
from pipeline.workers.pools import Pools
from shared import protocol
from shared.stage import DeviceKind, Resources
from tests.fakes import misbehave

BOX = Host("box", cpus=4, memory_mb=8000)


@dataclass
class Machines:
    """Machines on which no worker is ever started."""

    hosts: Sequence[Host] = (BOX,)

    async def measure_cards(self, own: Collection[int], emit: Emit) -> Mapping[int, float]:
        return {}

    async def is_crowded(self, placement: Placement) -> bool:
        return False

    def make(self, key: WorkerKey, placement: Placement, resident: Demand, name: str) -> WorkerHandle:
        raise AssertionError("a pool starts no worker")


def pools(*hosts: Host) -> Pools:
    return Pools(Machines(hosts or (BOX,)), Measurements(Path("/nowhere")), CardFailures())


def step(precision: str = "full", **resources: float | dict[str, float]) -> Step:
    backend = replace(misbehave.STAGE.backends["itself"], resources=Resources(**resources))  # type: ignore[arg-type]
    params = misbehave.MisbehaveParams(precision=precision)
    return Step("misbehave", misbehave.STAGE, "itself", backend, params, {}, {})


def done(memory_mb: float | None) -> protocol.Done:
    return protocol.Done(id=1, outputs={}, facts={}, seconds=2.0, cpu_s=1.0, memory_mb=memory_mb)


def test_steps_that_load_the_same_share_a_pool() -> None:
    books = pools()
    assert books.pool_of(step(), {}) is books.pool_of(step(), {})
    assert books.pool_of(step(), {}).name != books.pool_of(step("low"), {}).name


def test_a_declared_demand_is_limited_to_the_largest_machine() -> None:
    pool = pools().pool_of(step(cpus=64, memory_gib=1000.0), {})
    assert (pool.resident, pool.running) == (Demand(memory_mb=8000), Demand(cpus=4))


def test_measured_memory_replaces_declared_memory_and_all_pools_fit_again() -> None:
    books = pools()
    for precision in ("full", "low"):
        books.pool_of(step(precision, memory_gib=6.0), {})
    assert not books.all_fit()
    pool = books.pool_of(step(memory_gib=6.0), {})
    books.record_job(pool.name, done(memory_mb=100.0))
    assert 100 < books[pool.name].resident.memory_mb < 150
    assert books[pool.name].running == pool.running
    assert books.all_fit()


def test_a_job_whose_memory_is_unknown_changes_no_demand() -> None:
    books = pools()
    pool = books.pool_of(step(), {})
    books.record_job(pool.name, done(memory_mb=None))
    assert books[pool.name] == pool


def test_a_label_that_no_machine_has_is_an_error_that_names_it() -> None:
    with pytest.raises(Missing, match="needs nvenc, which no machine has"):
        pools().pool_of(step(labels={"nvenc": 1.0}), {})


@given(st.lists(st.integers(-5, 5), max_size=8))
def test_the_number_of_expected_jobs_is_never_negative(changes: list[int]) -> None:
    books, expected = pools(), 0
    pool = books.pool_of(step(), {})
    for change in changes:
        books.expect(pool, change)
        expected = max(expected + change, 0)
        assert books.forecasts(0.0)[pool.name].jobs == expected


@pytest.mark.parametrize(
    ("placed", "declared_mb", "measured_mb"),
    [("cpu", 0.0, 0.0), ("cuda", 4 * 2**30 / 1e6 + CONTEXT_MB, (6000.0 + CONTEXT_MB) * 1.1)],
)
def test_gpu_memory_is_booked_on_a_gpu_only_with_a_context(
    placed: DeviceKind, declared_mb: float, measured_mb: float
) -> None:
    books = pools(replace(BOX, gpus=(24_000.0,)))
    pool = books.pool_of(replace(step(gpu_memory_gib=4.0), placed=placed), {})
    assert pool.resident.gpu_mb == declared_mb
    books.record_job(pool.name, done(100.0).model_copy(update={"gpu_memory_mb": 6000.0}))
    assert books[pool.name].resident.gpu_mb == pytest.approx(measured_mb)


@pytest.mark.parametrize(("gpu_mb", "fits"), [(8000.0, True), (7999.0, False)])
def test_pools_fit_if_their_demands_are_no_more_than_the_machines_have(gpu_mb: float, fits: bool) -> None:
    half = {"memory_gib": 4e9 / 2**30, "gpu_memory_gib": (4e9 - CONTEXT_MB * 1e6) / 2**30}
    books = pools(replace(BOX, gpus=(gpu_mb,)))
    for precision in ("full", "low"):
        pool = books.pool_of(replace(step(precision, **half), placed="cuda"), {})
        assert pool.resident.memory_mb == 4000.0
        assert pool.resident.gpu_mb == pytest.approx(4000.0)
    assert books.all_fit() is fits


def test_what_the_driver_says_that_a_worker_holds_is_booked_from_then_on() -> None:
    books = pools(replace(BOX, gpus=(24_000.0,)))
    pool = books.pool_of(replace(step(gpu_memory_gib=2.0), placed="cuda"), {})
    for told_mb, booked_mb in ((6900.0, 6900.0), (3000.0, 6900.0), (30_000.0, 24_000.0)):
        books.record_gpu_memory(pool.name, told_mb)
        assert books[pool.name].resident.gpu_mb == booked_mb


def test_a_job_on_a_card_holds_the_card_and_one_core() -> None:
    books = pools(Host("box", 8, 1e5, (24_000.0,)))
    on_card = books.pool_of(replace(step(cpus=4, gpu_memory_gib=2.0), placed="cuda"), {})
    assert (on_card.running.cpus, on_card.running.gpus) == (1, 1)
    beside = books.pool_of(step("low", cpus=4), {})
    assert (beside.running.cpus, beside.running.gpus) == (4, 0)
    without = pools().pool_of(replace(step(gpu_memory_gib=2.0), placed="cuda"), {})
    assert (without.running.gpus, without.resident.gpu_mb) == (0, 0.0), "a machine without cards runs it all the same"


def test_files_that_are_not_started_count_as_much_as_the_active_ones() -> None:
    books = pools()
    pool = books.pool_of(step(), {})
    books.expect(pool, 4)
    assert books.forecasts(2.5)[pool.name].jobs == 4 * 3.5


def test_a_pool_whose_worker_could_not_start_expects_nothing_until_a_job_waits_for_it() -> None:
    books = pools()
    pool = books.pool_of(step(), {})
    books.expect(pool, 1)
    books.start_failed(pool.name)
    assert books.forecasts(0.0)[pool.name].jobs == 0
    books.job_queued(pool.name)
    assert books.forecasts(0.0)[pool.name].jobs == 1


def test_a_forecast_has_the_seconds_that_were_measured() -> None:
    books = pools()
    pool = books.pool_of(step(), {})
    assert books.forecasts(0.0)[pool.name].job_s is None
    books.record_load(pool.name, 5.0)
    books.record_job(pool.name, done(None))
    forecast = books.forecasts(0.0)[pool.name]
    assert (forecast.job_s, forecast.load_s) == (2.0, 5.0)


def test_on_an_apple_gpu_the_machines_one_memory_is_booked_once() -> None:
    on_apple = replace(step(memory_gib=2.0, gpu_memory_gib=6.0), placed="mps")
    books = pools(replace(BOX, memory_mb=16_000))
    pool = books.pool_of(on_apple, {})
    assert pool.resident.memory_mb == pytest.approx(6 * 2**30 / 1e6)
    assert pool.resident.gpu_mb == 0

    books.record_job(pool.name, done(memory_mb=900.0))  # what Metal holds is not in it
    assert books[pool.name].resident == pool.resident


def test_the_weights_of_a_model_count_among_what_its_worker_takes_of_a_card(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(bytes(10**6))
    books = pools(replace(BOX, gpus=(24_000.0,)))
    sized = replace(step(gpu_memory_gib=1.0, gpu_per_weight=50.0), placed="cuda")
    pool = books.pool_of(sized, {"model": tmp_path})
    assert pool.resident.gpu_mb == pytest.approx(2**30 / 1e6 + 50 + CONTEXT_MB)
