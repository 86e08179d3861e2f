"""Failures of stage processes: each is an error of its own, and no process or file is left over."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.base.errors import (
    OutOfMemory,
    OutputsInvalid,
    ReelError,
    StageRaised,
    StageRefused,
    WorkerCrashed,
    WorkerKilled,
    WorkerTimedOut,
)
from pipeline.base.project import CODE_ROOT
from pipeline.plan.model import Step
from pipeline.store.results import StoredResult
from pipeline.workers.dispatcher import StepJob
from pipeline.workers.local_host import local_dispatcher
from shared.environment_manager import ChildPaths, child_environment
from shared.worker_main import EXIT_NOT_INJECTED
from tests.pipeline.conftest import Bench, project_in
from tests.processes import children


def _is_alive(pid: int) -> bool:
    """Tell whether a process runs. A zombie does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False


def _sleeps(pid: int) -> bool:
    """Tell whether the process's main thread is in a system call that sleeps, in Python or in C."""
    return "nanosleep" in Path(f"/proc/{pid}/wchan").read_text(encoding="utf-8")


def _gone_within(pid: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not _is_alive(pid):
            return True
        time.sleep(0.02)
    return False


Outcome = StoredResult | BaseException
# What a stage does, and with what value; the error that follows, its code, and a part of its message.
FAILURES: dict[str, tuple[int, type[ReelError], str, str]] = {
    "refuse": (0, StageRefused, "misbehave.refused", "will not do this"),
    "lie: missing": (0, OutputsInvalid, "outputs.invalid", "no such file"),
    "lie: outside": (0, OutputsInvalid, "outputs.invalid", "outside its folder"),
    "lie: above": (0, OutputsInvalid, "outputs.invalid", "outside its folder"),
    "lie: link": (0, OutputsInvalid, "outputs.invalid", "outside its folder"),
    "lie: folder": (0, OutputsInvalid, "outputs.invalid", "no such file"),
    "raise": (0, StageRaised, "stage.raised", "LookupError: an unexpected error, at tests/fakes/misbehave.py:"),
    "segfault": (0, WorkerCrashed, "worker.crashed", "SIGSEGV"),
    "abort": (0, WorkerCrashed, "worker.crashed", "SIGABRT"),
    "abort without memory": (0, OutOfMemory, "stage.out-of-memory", "Insufficient Memory"),
    "exit": (0, WorkerCrashed, "worker.crashed", "exit status 0"),
    "sys.exit": (3, WorkerCrashed, "worker.crashed", "exit status 3"),
    "killed": (0, WorkerKilled, "worker.killed", "SIGKILL"),
}


@pytest.fixture(scope="module")
def good_jobs(core_alone: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, list[Outcome]]:
    """Return the bench and the outcomes of jobs that go well, one after the other in one run."""
    folder = tmp_path_factory.mktemp("good_jobs")
    bench = Bench(project_in(folder, core_alone), folder / "logs")
    steps = [*(bench.step("well", value) for value in range(4)), bench.step("noisily"), bench.step("warn")]
    return bench, bench.run(*steps)


@pytest.fixture(scope="module")
def failed(core_alone: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Return the outcome of each job that fails, one after the other in one run, and of a last one that goes well."""
    folder = tmp_path_factory.mktemp("failed")
    bench = Bench(project_in(folder, core_alone), folder / "logs")
    steps = [*(bench.step(how, value) for how, (value, *_) in FAILURES.items()), bench.step("well")]
    return dict(zip([*FAILURES, "well"], bench.run(*steps), strict=True))


def test_a_worker_serves_many_jobs_and_loads_once(good_jobs: tuple[Bench, list[Outcome]]) -> None:
    bench, outcomes = good_jobs
    assert all(isinstance(outcome, StoredResult) for outcome in outcomes)
    assert bench.log().count("loaded") == 1


def test_reset_makes_a_warm_worker_forget_the_last_job(good_jobs: tuple[Bench, list[Outcome]]) -> None:
    _, outcomes = good_jobs
    assert {outcome.facts["memory"] for outcome in outcomes if isinstance(outcome, StoredResult)} == {1}


def test_output_printed_by_libraries_never_reaches_the_protocol(good_jobs: tuple[Bench, list[Outcome]]) -> None:
    log = good_jobs[0].log()
    assert "from C" in log
    assert "child read ''" in log, "a child of the stage must find an empty standard input"


def test_warnings_and_progress_are_reported_and_warnings_kept_with_the_result(
    good_jobs: tuple[Bench, list[Outcome]],
) -> None:
    bench, (*_, warned) = good_jobs
    assert isinstance(warned, StoredResult)
    assert warned.warnings == ("mind the gap",) == tuple(bench.warnings)
    assert bench.progress == [1.0]


@pytest.mark.parametrize("how", FAILURES)
def test_each_failure_is_an_error_of_its_own(failed: dict[str, Outcome], how: str) -> None:
    _, kind, code, says = FAILURES[how]
    error = failed[how]
    assert type(error) is kind
    assert isinstance(error, ReelError)
    assert error.code == code
    assert says in error.message
    assert bool(error.log_lines) is (code in {"stage.raised", "worker.crashed"})


def test_jobs_are_done_after_any_failures(failed: dict[str, Outcome]) -> None:
    assert isinstance(failed["well"], StoredResult)


def test_a_crash_leaves_the_stack_in_the_log(failed: dict[str, Outcome]) -> None:
    error = failed["segfault"]
    assert isinstance(error, ReelError)
    assert error.log is not None
    assert "Segmentation fault" in error.log.read_text(encoding="utf-8")


def test_a_step_is_repeated_once_in_a_new_process_after_a_crash(bench: Bench, tmp_path: Path) -> None:
    (outcome,) = bench.run(bench.step("crash once", path=str(tmp_path / "crashed")))
    assert isinstance(outcome, StoredResult)
    assert bench.log().count("loaded") == 2


@pytest.mark.slow
@pytest.mark.parametrize("how", ["hang", "hang politely", "hang in C"])
def test_a_job_beyond_its_limit_is_ended_however_it_hangs(bench: Bench, how: str) -> None:
    bench.run(bench.step("well"))  # so that the limit below is not spent on starting
    started = time.monotonic()
    hung, done = bench.run(bench.step(how, limit_s=0.5), bench.step("well"))
    assert isinstance(hung, WorkerTimedOut)
    assert "did not finish within 0.5s" in hung.message
    assert time.monotonic() - started < 20
    assert isinstance(done, StoredResult)


@pytest.mark.slow
@pytest.mark.parametrize(("how", "loads"), [("hang politely", 1), ("hang in C", 2)])
def test_a_worker_whose_job_ends_on_request_runs_the_next_job(bench: Bench, how: str, loads: int) -> None:
    async def work() -> None:
        begun = asyncio.Event()

        async def run(step: Step, name: str) -> None:
            folder = bench.logs / name
            folder.mkdir(parents=True)
            await made.run(StepJob(step, {"media": None}, folder, 60.0, on_start=lambda worker: begun.set()))

        async with local_dispatcher(bench.project.installed, bench.logs) as made:
            first = asyncio.create_task(run(bench.step(how), "first"))
            await begun.wait()
            await asyncio.sleep(0.2)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            await run(bench.step("well"), "second")

    asyncio.run(work())
    assert bench.log().count("loaded") == loads


@pytest.mark.slow
def test_processes_that_a_stage_started_end_with_it(bench: Bench, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    (hung,) = bench.run(bench.step("grandchild", path=str(pid_file), limit_s=2.0))
    assert isinstance(hung, WorkerTimedOut)
    assert _gone_within(int(pid_file.read_text(encoding="utf-8")), 2.0)


@pytest.mark.skipif(sys.platform != "linux", reason="the children are read from /proc")
def test_an_idle_worker_that_does_not_exit_is_killed_although_the_run_ends_meanwhile(bench: Bench) -> None:
    async def work() -> list[int]:
        async with local_dispatcher(bench.project.installed, bench.logs) as dispatcher:
            before, out_dir = set(children(os.getpid())), bench.logs / "well"
            out_dir.mkdir(parents=True)
            await dispatcher.run(StepJob(bench.step("well"), {"media": None}, out_dir, 60.0))
            pids = list(set(children(os.getpid())) - before)
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            evicted = asyncio.create_task(dispatcher.make_room(OutOfMemory("worker.system-memory", "full")))
            await asyncio.sleep(0.1)
            assert not evicted.done(), "the worker cannot answer"
            evicted.cancel()
            await asyncio.gather(evicted, return_exceptions=True)
        return pids

    pids = asyncio.run(work())
    assert pids
    try:
        assert all(_gone_within(pid, 2.0) for pid in pids)
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="the watch reads /proc")
def test_a_worker_above_its_memory_limit_is_ended_and_the_error_says_so(make_project: object, tmp_path: Path) -> None:
    assert callable(make_project)
    bench = Bench(make_project(memory_limit_gib=0.3), tmp_path / "logs")
    (failed,) = bench.run(bench.step("memory", 600))
    assert isinstance(failed, OutOfMemory)
    assert failed.code == "worker.memory"
    assert "its limit is 0.3 GiB" in failed.message


def test_a_worker_refuses_to_start_without_the_injected_cache(tmp_path: Path) -> None:
    paths = ChildPaths(CODE_ROOT, tmp_path, (), tmp_path)
    complete = child_environment(paths, {}, offline=True)
    for broken in (
        {**complete, "HF_HOME": "/elsewhere"},
        {**complete, "HF_TOKEN": "secret"},
        {"PYTHONPATH": str(CODE_ROOT)},
    ):
        done = subprocess.run(
            [sys.executable, "-m", "shared.worker_main"], env=broken, input=b"", capture_output=True, timeout=60
        )
        assert done.returncode == EXIT_NOT_INJECTED
        assert b"not-injected" in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a worker ends at the end of its input")
def test_a_worker_dies_with_its_parent_even_in_the_middle_of_c(tmp_path: Path) -> None:
    script = f"""
import sys; sys.path.insert(0, {str(CODE_ROOT)!r})
from pathlib import Path
from tests.pipeline.conftest import Bench
from tests.processes import children
from pipeline.engine.project import open_project
from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.base.settings import load_settings
flags = {{"results_dir": {str(tmp_path / "r")!r}, "cache_dir": {str(tmp_path / "c")!r}}}
project = open_project(load_settings(CONFIG / "defaults.toml", CODE_ROOT / "none.toml", {{}}, flags)[0])
bench = Bench(project, Path({str(tmp_path / "logs")!r}))
bench.run(bench.step('hang in C'))
"""
    with subprocess.Popen([sys.executable, "-c", script], start_new_session=True) as parent:
        children: list[int] = []
        until = time.monotonic() + 30
        while not (children and any(tmp_path.glob("r/staging/*/text.txt"))) and time.monotonic() < until:
            time.sleep(0.05)
            listed = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
            children = [int(pid) for pid in listed.read_text(encoding="utf-8").split()]
        assert children, "the worker did not start"
        while not all(_sleeps(pid) for pid in children) and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        assert all(_gone_within(pid, 3.0) for pid in children)
