"""A card that fails or is full: the step ends on the processor, says why once, and what is remembered is forgotten."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.base import events
from pipeline.base.errors import OutOfMemory, WorkerCrashed
from pipeline.base.hardware import Hardware, cards_key
from pipeline.base.nvidia import Card
from pipeline.plan.model import Step
from pipeline.plan.oom_fallback import fallback_record_name, steps_to_try, stored_variants
from pipeline.plan.placement import fallback_notes
from pipeline.plan.result_key import ingredients, result_key
from pipeline.store.card_proofs import CardProofs
from pipeline.store.results import StoredResult
from pipeline.store.worker_stats import Measurements
from pipeline.workers import local_host, process
from pipeline.workers.dispatcher import StepJob
from pipeline.workers.local_host import local_dispatcher
from shared.stage import Resources
from tests.conftest import Reel
from tests.fakes.library import provide_library
from tests.fakes.nvidia import broken_tool, fake_card, fake_tool, uuid_of
from tests.pipeline.conftest import Bench
from tests.processes import children

pytestmark = pytest.mark.slow  # a run or a process after the other

NO_KERNEL = "CUDA error: no kernel image is available for execution on the device"


@pytest.fixture
def card_bench(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    """A bench on a machine with one empty card of 8 GiB, as its driver's tool says."""
    monkeypatch.setenv("PATH", fake_tool(tmp_path / "tool", [fake_card(mib=8192)]), prepend=":")
    card = Card(name="made up", memory_mib=8192, uuid=uuid_of(0), capability="8.6", driver="550.54.14")
    machine = Hardware(
        system="Linux", machine="x86_64", cpus=2, memory_gib=8.0, cuda=(card,), mps=False, mlx=False
    )  # fmt: skip
    bench.project = replace(bench.project, installed=replace(bench.project.installed, hardware=machine))
    return bench


def on_card(bench: Bench, how: str, value: int = 0, path: str = "", *, library: str = "") -> Step:
    """A step of the fake stage that is placed on the card."""
    step = bench.step(how, value, path)
    resources = Resources(gpu_memory_gib=2.0, time_base_s=60.0, time_per_media_s=0.0)
    backend = replace(step.backend, accelerators=("cuda",), resources=resources, card_library=library)
    return replace(step, backend=backend, placed="cuda")


def test_a_card_that_fails_has_the_step_done_on_the_processor_with_its_key_and_one_sentence(card_bench: Bench) -> None:
    failing = on_card(card_bench, "fail on a card", 1, NO_KERNEL)
    results = card_bench.run(failing, on_card(card_bench, "fail on a card", 2, NO_KERNEL))
    assert all(isinstance(result, StoredResult) for result in results), results
    key_context = card_bench.project.key_context()
    assert isinstance(results[0], StoredResult)
    planned_there = ingredients(replace(failing, placed="cpu"), {"media": None}, key_context)
    assert results[0].key == result_key(planned_there)
    (warning,) = card_bench.warnings
    assert warning.startswith("the card failed, so misbehave computes on the processor: misbehave")
    assert NO_KERNEL in warning


def test_a_worker_that_crashes_on_the_card_again_and_again_ends_on_the_processor(card_bench: Bench) -> None:
    crashed, broken = card_bench.run(on_card(card_bench, "crash on a card"), card_bench.step("abort"))
    assert isinstance(crashed, StoredResult)
    assert isinstance(broken, WorkerCrashed), "and one that crashes on the processor has failed"


def test_a_card_is_left_alone_after_three_failures(card_bench: Bench) -> None:
    steps = [on_card(card_bench, "fail on a card", number, f"{NO_KERNEL} {number}") for number in range(5)]
    assert all(isinstance(result, StoredResult) for result in card_bench.run(*steps))
    assert len(card_bench.warnings) == 3
    assert card_bench.log().count(f"RuntimeError: {NO_KERNEL}") == 3


def test_a_library_that_cannot_prove_itself_is_not_tried_again_until_something_changes(card_bench: Bench) -> None:
    """The core environment has no torch, which is a proof that fails."""
    project = card_bench.project
    steps = [on_card(card_bench, "well", number, library="torch") for number in range(3)]
    assert all(isinstance(result, StoredResult) for result in card_bench.run(*steps))
    (warning,) = card_bench.warnings
    assert "No module named 'torch'" in warning
    cards = cards_key(project.installed.hardware)
    proofs = CardProofs(project.folders.results, cards, project.installed.environments.digest)
    problem = proofs.problem("core", "torch")
    assert problem is not None
    assert proofs.problems() == {"core/torch": problem}
    assert "No module named 'torch'" in problem
    assert (
        CardProofs(project.folders.results, "another card", project.installed.environments.digest).problem(
            "core", "torch"
        )
        is None
    )
    assert CardProofs(project.folders.results, cards, lambda family: "rebuilt").problem("core", "torch") is None


# As much of torch as its proof takes, which it then passes.
_WORKS = """
import contextlib, pathlib
class Tensor:
    def __init__(self, total): self.total = total
    def __matmul__(self, other): return self
    def sum(self): return self.total
    def fill_(self, value): pass
class Conv1d:
    weight = Tensor(0)
    def __init__(self, *sizes, **options): pass
    def to(self, device): return self
    def __call__(self, signal): return Tensor(3 * 62)
class nn: Conv1d = Conv1d
inference_mode = contextlib.nullcontext
def ones(*sizes, device): return Tensor(0)
def eye(size, device):
    with pathlib.Path(__file__).with_name("proofs").open("a") as proofs: proofs.write(device)
    return Tensor(size)
"""


def test_a_library_that_has_proved_itself_is_not_asked_for_it_by_the_next_run(
    card_bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provide_library("torch", _WORKS, tmp_path, local_host, monkeypatch)
    for number in range(2):
        (result,) = card_bench.run(on_card(card_bench, "well", number, library="torch"))
        assert isinstance(result, StoredResult), result
    assert card_bench.warnings == []
    assert (tmp_path / "proofs").read_text(encoding="utf-8") == "cuda"


@pytest.mark.parametrize(
    ("library", "says", "recorded"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "by signal SIGSEGV", True),
        ("import time; time.sleep(3600)", "did not prove that it computes on the card within", True),
        ("raise RuntimeError('CUDA out of memory')", "out of memory", False),
    ],
    ids=["crashes", "hangs", "lacks memory"],
)
def test_a_proof_that_crashes_or_hangs_costs_one_try_and_is_remembered_unless_memory_was_lacking(
    card_bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, says: str, recorded: bool
) -> None:
    """A module that is found under the name `torch` does in the proof what such a library did on some machine."""
    provide_library("torch", library, tmp_path, local_host, monkeypatch)
    if "sleep" in library:
        monkeypatch.setattr(process, "_PROOF_LIMIT_S", 0.5)
    results = card_bench.run(*(on_card(card_bench, "well", number, library="torch") for number in range(2)))
    assert all(isinstance(result, StoredResult) for result in results), results
    assert says in card_bench.warnings[0]
    project = card_bench.project
    proofs = CardProofs(project.folders.results, cards_key(project.installed.hardware), lambda family: "")
    assert bool(proofs._proofs) is recorded
    if recorded:
        assert len(card_bench.warnings) == 1


def test_a_fallback_is_remembered_for_the_cards_that_were_otherwise_free(card_bench: Bench) -> None:
    step = on_card(card_bench, "out of memory", 4)
    (result,) = card_bench.run(step)
    assert isinstance(result, StoredResult)
    name = fallback_record_name(step)
    assert card_bench.fallbacks == {name: "batches of 4"}


def test_a_fallback_on_a_card_that_others_fill_is_not_remembered(card_bench: Bench, tmp_path: Path) -> None:
    fake_tool(tmp_path / "tool", [fake_card(mib=8192, free=3000)])
    (result,) = card_bench.run(on_card(card_bench, "out of memory", 4))
    assert isinstance(result, StoredResult)
    assert card_bench.fallbacks == {}


def test_what_fits_nowhere_fails_after_the_processor_was_tried(card_bench: Bench) -> None:
    (failed,) = card_bench.run(on_card(card_bench, "out of memory", 0))
    assert isinstance(failed, OutOfMemory)
    assert "again with the processor" in card_bench.warnings[-1]


def test_a_driver_that_fails_is_told_by_the_plan_and_once_by_the_run(reel: Reel, tmp_path: Path) -> None:
    mismatch = "Failed to initialize NVML: Driver/library version mismatch"
    path = broken_tool(tmp_path / "tool", f"#!/bin/sh\necho '{mismatch}'\nexit 18\n")
    variables = {"PATH": os.pathsep.join([path, os.environ["PATH"]]), "REEL_PROFILE": "starter", "REEL_OFFLINE": "1"}
    (tmp_path / "film.mp4").write_text("no film", encoding="utf-8")
    note = f"on the processor, not on the card: asr; nvidia-smi: {mismatch}"
    assert note in reel("plan", "film.mp4", extra=variables).stdout
    assert reel("run", "film.mp4", extra=variables, expect=None).stderr.count(note) == 1


def _known(folder: Path, step: Step, cards: str = "") -> Measurements:
    """Measurements of a later run, after the step fitted with its first fallback."""
    measurements = Measurements(folder, cards)
    measurements.record_fit(steps_to_try(step, {})[1], fell=True)
    measurements.save()
    return Measurements(folder, cards)


def test_other_cards_begin_with_what_was_asked_for(bench: Bench, tmp_path: Path) -> None:
    step = on_card(bench, "well")
    assert _known(tmp_path, step, "a small card").fallbacks
    assert Measurements(tmp_path, "a large card").fallbacks == {}
    assert Measurements(tmp_path, "a small card").fallbacks, "and the small one is known when it is back"
    on_cpu = bench.step("well")
    _known(tmp_path, on_cpu, "a small card")
    assert fallback_record_name(on_cpu) in Measurements(tmp_path, "a large card").fallbacks


def test_the_next_better_variant_is_tried_again_after_some_runs_and_once_a_run(bench: Bench, tmp_path: Path) -> None:
    step = on_card(bench, "well")
    measurements = _known(tmp_path, step)
    runs = 0
    while (better := measurements.better_variant(step)) is None:
        measurements.save()
        measurements, runs = Measurements(tmp_path), runs + 1
        assert runs < 20
    assert runs > 1
    assert better == step
    assert measurements.better_variant(step) is None, "once a run"
    measurements.record_fit(better, fell=False)
    measurements.save()
    risen = Measurements(tmp_path)
    assert steps_to_try(step, risen.fallbacks)[0] == step
    assert len(stored_variants(step, risen.fallbacks)) > 1, "what was done with the fallback is not done again"
    assert stored_variants(step, {}) == [step]


def test_a_success_beside_a_fall_is_no_rise(bench: Bench, tmp_path: Path) -> None:
    step = on_card(bench, "well")
    measurements = _known(tmp_path, step)
    measurements.record_fit(step, fell=False)
    assert measurements.fallbacks[fallback_record_name(step)] == "batches of 4"


def test_fallbacks_are_forgotten_on_request(bench: Bench, tmp_path: Path) -> None:
    _known(tmp_path, on_card(bench, "well"), "a small card")
    measurements = Measurements(tmp_path, "another card")
    assert measurements.forget_fallbacks() == 1
    measurements.save()
    assert Measurements(tmp_path, "a small card").fallbacks == {}


def test_a_step_that_begins_with_a_fallback_is_told_with_the_way_to_try_again(bench: Bench, tmp_path: Path) -> None:
    step = on_card(bench, "well")
    (note,) = fallback_notes([step], _known(tmp_path, step).fallbacks)
    assert "misbehave with batches of 4" in note
    assert "`./reel runs forget fallbacks`" in note
    assert fallback_notes([step], {}) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the children are read from /proc")
def test_what_the_driver_says_that_a_worker_holds_is_measured_and_booked(card_bench: Bench, tmp_path: Path) -> None:
    measured: list[events.WorkerMeasured] = []

    def emit(event: events.Event) -> None:
        if isinstance(event, events.WorkerMeasured):
            measured.append(event)

    async def work() -> float | None:
        installed = card_bench.project.installed
        async with local_dispatcher(installed, card_bench.logs, None, emit) as dispatcher:
            before, out_dir = set(children(os.getpid())), card_bench.logs / "well"
            out_dir.mkdir(parents=True)
            step = on_card(card_bench, "well")
            await dispatcher.run(StepJob(step, {"media": None}, out_dir, 60.0))
            (pid,) = set(children(os.getpid())) - before
            fake_tool(tmp_path / "tool", [fake_card(mib=8192, free=1192)], processes=f"{uuid_of(0)}, {pid}, 7000")
            await dispatcher._measure_cards()
            return dispatcher._pools.pool_of(step, {}).resident.gpu_mb

    assert asyncio.run(work()) == pytest.approx(7000 * 2**20 / 1e6)
    assert measured[-1].gpu_memory_mb == pytest.approx(7000 * 2**20 / 1e6)
