"""The life of workers, with real processes: kept, replaced, evicted, started ahead and ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.base import events
from pipeline.base.errors import StepFailed
from pipeline.engine.project import Project
from pipeline.plan.model import Step
from pipeline.store.results import StoredResult
from pipeline.store.worker_stats import Measurements
from pipeline.workers import dispatcher as dispatcher_module
from pipeline.workers.dispatcher import Dispatcher, StepJob
from pipeline.workers.local_host import LocalHost, local_dispatcher
from shared.stage import Resources
from tests.fakes.misbehave import MisbehaveParams
from tests.pipeline.conftest import Bench


def with_precision(step: Step, precision: str, memory_gib: float = 0.1) -> Step:
    """Return the step for a worker of another pool."""
    backend = replace(step.backend, resources=Resources(memory_gib=memory_gib))
    return replace(step, backend=backend, params=MisbehaveParams(precision=precision))


def run_all(
    project: Project, folder: Path, emitted: list[events.Event], *steps: Step, pause_s: float = 0.0
) -> Dispatcher:
    """Run the steps one after the other in one dispatcher, and return it."""

    async def work() -> Dispatcher:
        async with local_dispatcher(
            project.installed, folder / "logs", Measurements(folder), emitted.append
        ) as dispatcher:
            for number, step in enumerate(steps):
                out_dir = folder / f"{number}"
                out_dir.mkdir()
                await dispatcher.run(StepJob(step, {"media": None}, out_dir, 60.0))
                await asyncio.sleep(pause_s)
        return dispatcher

    return asyncio.run(work())


def ended(emitted: list[events.Event]) -> list[str]:
    return [event.reason for event in emitted if isinstance(event, events.WorkerEnded)]


def test_a_worker_is_replaced_after_an_unexpected_exception(bench: Bench) -> None:
    failed, done = bench.run(bench.step("raise"), bench.step("well"))
    assert not isinstance(failed, StoredResult)
    assert isinstance(done, StoredResult)
    assert bench.log().count("loaded") == 2


def test_a_worker_whose_memory_grows_is_replaced(
    make_project: Callable[..., Project], bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher_module, "_GROWTH_MB", 60.0)
    monkeypatch.setattr(dispatcher_module, "_GROWTH_FACTOR", 1.0)
    emitted: list[events.Event] = []
    run_all(make_project(), tmp_path, emitted, *[bench.step("leak", 50) for _ in range(5)])
    assert ended(emitted) == ["memory", "finished"]


def test_an_idle_worker_ends_after_the_idle_limit(
    make_project: Callable[..., Project], bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher_module, "_MEASURE_EVERY_S", 0.05)
    emitted: list[events.Event] = []
    run_all(make_project(idle_worker_s=0.2), tmp_path, emitted, bench.step("well"), pause_s=1.0)
    assert ended(emitted) == ["idle"]


def test_an_idle_worker_makes_room_for_one_that_does_not_fit_beside_it(
    make_project: Callable[..., Project], bench: Bench, tmp_path: Path
) -> None:
    emitted: list[events.Event] = []
    large = 10_000.0  # cut to what the machine has
    steps = [with_precision(bench.step("well"), precision, large) for precision in ("full", "low", "low")]
    run_all(make_project(), tmp_path, emitted, *steps)
    assert ended(emitted) == ["evicted", "finished"]


def test_measured_memory_replaces_declared_memory(
    make_project: Callable[..., Project], bench: Bench, tmp_path: Path
) -> None:
    emitted: list[events.Event] = []
    large = 10_000.0
    steps = [with_precision(bench.step("well"), precision, large) for precision in ("full", "low", "full", "low")]
    dispatcher = run_all(make_project(), tmp_path, emitted, *steps)
    assert dispatcher.all_fit(), "each uses some ten megabytes only"
    pools = list(dispatcher._pools.forecasts(0.0))
    measured = [dispatcher.measurements.of(pool).memory_mb or 0.0 for pool in pools]
    assert all(10 < memory_mb < 500 for memory_mb in measured)
    assert ended(emitted).count("evicted") == 1, "the first time only, before there were measurements"
    dispatcher.measurements.save()
    assert Measurements(tmp_path).of(pools[0]).memory_mb == measured[0]


def test_a_worker_is_started_ahead_of_its_first_job(
    make_project: Callable[..., Project], bench: Bench, tmp_path: Path
) -> None:
    emitted: list[events.Event] = []

    async def work() -> None:
        installed, measurements = make_project().installed, Measurements(tmp_path)
        async with local_dispatcher(installed, tmp_path / "logs", measurements, emitted.append) as dispatcher:
            dispatcher.expect(bench.step("well"), {}, 1)
            while not any(isinstance(event, events.WorkerLoaded) for event in emitted):
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(work(), 30))
    assert ended(emitted) == ["finished"]


def test_the_next_job_begins_with_the_fallback_that_fitted(bench: Bench) -> None:
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
        async with local_dispatcher(installed, tmp_path / "logs", measurements, record) as dispatcher:
            jobs = [StepJob(bench.step("well"), {"media": None}, tmp_path, 60.0) for _ in range(3)]
            outcomes = await asyncio.gather(*map(dispatcher.run, jobs), return_exceptions=True)
            assert [str(outcome) for outcome in outcomes] == ["no space left"] * 3

    with pytest.raises(OSError, match="no space left"):
        asyncio.run(asyncio.wait_for(work(), 60))


def test_a_decision_that_fails_fails_the_queued_jobs(
    make_project: Callable[..., Project], bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_worker(*_: object) -> None:
        raise OSError("the key cannot be read")

    async def work() -> None:
        async with local_dispatcher(make_project().installed, tmp_path / "logs", Measurements(tmp_path)) as dispatcher:
            await dispatcher.run(StepJob(bench.step("well"), {"media": None}, tmp_path, 60.0))

    monkeypatch.setattr(LocalHost, "make", no_worker)
    with pytest.raises(OSError, match="cannot be read"):
        asyncio.run(asyncio.wait_for(work(), 60))


def test_a_process_that_the_system_refuses_is_a_clear_error(
    make_project: Callable[..., Project], bench: Bench, tmp_path: Path
) -> None:
    project = make_project()
    scratch = project.installed.folders.scratch
    scratch.parent.mkdir(parents=True, exist_ok=True)
    scratch.write_text("a file where libraries want a folder", encoding="utf-8")
    with pytest.raises(StepFailed, match="Not a directory") as failed:
        run_all(project, tmp_path, [], bench.step("well"))
    assert failed.value.code == "worker.start"


def test_a_label_that_no_machine_has_is_reported(bench: Bench) -> None:
    step = bench.step("well")
    step = replace(step, backend=replace(step.backend, resources=Resources(labels={"nvenc": 1})))
    (failed,) = bench.run(step)
    assert "needs nvenc, which no machine has" in str(failed)
