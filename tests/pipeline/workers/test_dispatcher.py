"""Workers over time: kept, replaced, evicted, started ahead and ended, with real processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.base import events
from pipeline.engine.project import Project
from pipeline.plan.model import Step
from pipeline.store.results import StoredResult
from pipeline.store.worker_stats import Measurements
from pipeline.workers import dispatcher as module
from pipeline.workers.dispatcher import Dispatcher, StepJob
from pipeline.workers.local_host import local_dispatcher
from shared.stage import Resources
from tests.fakes.misbehave import MisbehaveParams
from tests.pipeline.conftest import Bench


def with_precision(step: Step, precision: str, memory_gib: float = 0.1) -> Step:
    """The step for a worker of another kind."""
    backend = replace(step.backend, resources=Resources(memory_gib=memory_gib))
    return replace(step, backend=backend, params=MisbehaveParams(precision=precision))


def run_all(
    project: Project, folder: Path, heard: list[events.Event], *steps: Step, pause_s: float = 0.0
) -> Dispatcher:
    """The steps one after the other in one dispatcher."""

    async def work() -> Dispatcher:
        async with local_dispatcher(project.installed, folder / "logs", Measurements(folder), heard.append) as made:
            for number, step in enumerate(steps):
                out_dir = folder / f"{number}"
                out_dir.mkdir()
                await made.run(StepJob(step, {"media": None}, out_dir, 60.0))
                await asyncio.sleep(pause_s)
        return made

    return asyncio.run(work())


def ended(heard: list[events.Event]) -> list[str]:
    return [event.reason for event in heard if isinstance(event, events.WorkerEnded)]


def test_an_exception_that_nobody_expected_costs_the_worker(bench: Bench) -> None:
    failed, done = bench.run(bench.step("raise"), bench.step("well"))
    assert not isinstance(failed, StoredResult)
    assert isinstance(done, StoredResult)
    assert bench.log().count("loaded") == 2


def test_a_worker_that_grows_is_replaced(
    make_project: Callable[..., Project], bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GROWTH_MB", 60.0)
    monkeypatch.setattr(module, "_GROWTH_FACTOR", 1.0)
    heard: list[events.Event] = []
    run_all(make_project(), tmp_path, heard, *[bench.step("leak", 50) for _ in range(5)])
    assert ended(heard) == ["memory", "finished"]


def test_a_worker_without_work_ends_after_its_time(
    make_project: Callable[..., Project], bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MEASURE_EVERY_S", 0.05)
    heard: list[events.Event] = []
    run_all(make_project(idle_worker_s=0.2), tmp_path, heard, bench.step("well"), pause_s=1.0)
    assert ended(heard) == ["idle"]


def test_a_worker_makes_room_for_another_that_does_not_fit_beside_it(
    make_project: Callable[..., Project], bench: Bench, tmp_path: Path
) -> None:
    heard: list[events.Event] = []
    large = 10_000.0  # cut to what the machine has
    steps = [with_precision(bench.step("well"), precision, large) for precision in ("full", "low", "low")]
    run_all(make_project(), tmp_path, heard, *steps)
    assert ended(heard) == ["evicted", "finished"]


def test_what_was_seen_replaces_what_was_declared(
    make_project: Callable[..., Project], bench: Bench, tmp_path: Path
) -> None:
    heard: list[events.Event] = []
    large = 10_000.0
    steps = [with_precision(bench.step("well"), precision, large) for precision in ("full", "low", "full", "low")]
    made = run_all(make_project(), tmp_path, heard, *steps)
    assert made.all_fit(), "neither takes more than some ten megabytes"
    pools = list(made._pools.forecasts(0.0))
    measured = [made.measurements.of(pool).memory_mb or 0.0 for pool in pools]
    assert all(10 < memory_mb < 500 for memory_mb in measured)
    assert ended(heard).count("evicted") == 1, "the first time only, when nothing was known yet"
    made.measurements.save()
    assert Measurements(tmp_path).of(pools[0]).memory_mb == measured[0]


def test_what_will_be_needed_is_started_ahead(
    make_project: Callable[..., Project], bench: Bench, tmp_path: Path
) -> None:
    heard: list[events.Event] = []

    async def work() -> None:
        installed, measurements = make_project().installed, Measurements(tmp_path)
        async with local_dispatcher(installed, tmp_path / "logs", measurements, heard.append) as made:
            made.expect(bench.step("well"), {}, 1)
            while not any(isinstance(event, events.WorkerLoaded) for event in heard):
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(work(), 30))
    assert ended(heard) == ["finished"]


def test_the_rung_that_fitted_is_where_the_next_job_begins(bench: Bench) -> None:
    first, second = bench.run(
        bench.step("out of memory", 4), replace(bench.step("well"), params=MisbehaveParams(value=9))
    )
    assert isinstance(first, StoredResult)
    assert isinstance(second, StoredResult)
    assert second.facts["batch"] == 4
    assert len([text for text in bench.warnings if "out of memory" in text]) == 1


def test_a_background_task_that_fails_fails_the_queued_jobs(
    make_project: Callable[..., Project], bench: Bench, tmp_path: Path
) -> None:
    """For example, a full disk keeps the history from recording an event."""

    def record(event: events.Event) -> None:
        if isinstance(event, events.WorkerLoaded):
            raise OSError("no space left")

    async def work() -> None:
        installed, measurements = make_project().installed, Measurements(tmp_path)
        async with local_dispatcher(installed, tmp_path / "logs", measurements, record) as made:
            jobs = [StepJob(bench.step("well"), {"media": None}, tmp_path, 60.0) for _ in range(3)]
            outcomes = await asyncio.gather(*map(made.run, jobs), return_exceptions=True)
            assert [str(outcome) for outcome in outcomes] == ["no space left"] * 3

    with pytest.raises(OSError, match="no space left"):
        asyncio.run(asyncio.wait_for(work(), 60))


def test_a_label_that_no_machine_has_is_told(bench: Bench) -> None:
    step = bench.step("well")
    step = replace(step, backend=replace(step.backend, resources=Resources(labels={"nvenc": 1})))
    (failed,) = bench.run(step)
    assert "needs nvenc, which no machine has" in str(failed)
