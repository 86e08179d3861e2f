"""Out of memory: how a stage says so, what is tried next, and what the result tells of it afterwards."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.base.errors import OutOfMemory
from pipeline.plan.model import Step
from pipeline.plan.oom_fallback import changes_bytes, fallback_steps
from pipeline.plan.registry import STAGES
from pipeline.plan.result_key import ingredients, result_key
from pipeline.store.results import StoredResult
from shared.process_memory import is_out_of_memory
from shared.stage import DeviceKind, Fallback, Stage
from tests.fakes.misbehave import MisbehaveParams
from tests.pipeline.conftest import Bench


class OutOfMemoryError(RuntimeError):
    """As torch's own."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 3.00 GiB for an array with shape (402653184,)"),
        OutOfMemoryError("whatever"),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; 7.79 GiB total capacity)"),
        RuntimeError("CUDA failed with error out of memory"),
        RuntimeError("cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.05 GB)"),
        RuntimeError("std::bad_alloc"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_the_words_of_libraries_that_ran_out_of_memory_are_understood(error: Exception) -> None:
    assert is_out_of_memory(error)
    wrapped = RuntimeError("the pipeline failed")
    wrapped.__cause__ = error
    assert is_out_of_memory(wrapped)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("CUDA error: device-side assert triggered"), OSError(errno.ENOSPC, "No space"), KeyError("x")],
)
def test_other_failures_are_not_taken_for_it(error: Exception) -> None:
    assert not is_out_of_memory(error)


def test_the_first_fallback_that_fits_is_taken_and_a_neutral_one_leaves_the_key_alone(bench: Bench) -> None:
    step = bench.step("out of memory", 8)
    (result,) = bench.run(step)
    assert isinstance(result, StoredResult)
    assert result.facts["batch"] == 4
    assert "rung" not in result.facts
    key_context = bench.project.key_context()
    assert result.key == result_key(ingredients(step, {"media": None}, key_context))
    assert "again with batches of 4" in bench.warnings[0]


def test_a_fallback_that_changes_bytes_is_named_in_the_facts_and_has_the_key_of_what_was_done(bench: Bench) -> None:
    step = bench.step("out of memory", 8, "lower")
    (result,) = bench.run(step)
    assert isinstance(result, StoredResult)
    assert result.facts["rung"] == "low precision"
    assert result.facts["loaded_with"] == "low"
    key_context = bench.project.key_context()
    assert result.key != result_key(ingredients(step, {"media": None}, key_context))
    assert isinstance(step.params, MisbehaveParams)
    asked = replace(step, params=step.params.model_copy(update={"precision": "low"}))
    assert result.key == result_key(ingredients(asked, {"media": None}, key_context))


def test_without_a_fallback_that_fits_the_failure_says_what_the_library_said(bench: Bench) -> None:
    failed, done = bench.run(bench.step("out of memory", 0), bench.step("well"))
    assert isinstance(failed, OutOfMemory)
    assert failed.code == "stage.out-of-memory"
    assert "Tried to allocate 2.00 GiB" in failed.message
    assert isinstance(done, StoredResult)


def test_a_fallback_asks_for_less_never_for_more(bench: Bench) -> None:
    step = bench.step("well")
    small = replace(step, params=MisbehaveParams(batch=2))
    assert [lower.fallback.name for lower in fallback_steps(small) if lower.fallback] == ["low precision"]
    least = replace(step, params=MisbehaveParams(batch=1, precision="low"))
    assert fallback_steps(least) == []


def test_the_processor_is_a_fallback_only_where_another_device_was_used(bench: Bench) -> None:
    step = bench.step("well")
    step = replace(step, backend=replace(step.backend, oom_fallbacks=(Fallback("the processor", device="cpu"),)))
    assert fallback_steps(step) == []
    (lower,) = fallback_steps(replace(step, placed="cuda"))
    assert changes_bytes(lower)
    assert ingredients(lower, {}, bench.project.key_context())["device"] == "cpu"


def test_what_was_tried_is_not_tried_again(bench: Bench) -> None:
    step = bench.step("well")
    fallbacks = (
        Fallback("batches of 4", {"batch": 4}),
        Fallback("again", {"batch": 4}),
        Fallback("the processor", device="cpu"),
    )
    step = replace(step, backend=replace(step.backend, oom_fallbacks=fallbacks))
    assert [lower.fallback.name for lower in fallback_steps(step) if lower.fallback] == ["batches of 4"]
    on_card = fallback_steps(replace(step, placed="cuda"))
    assert [lower.fallback.name for lower in on_card if lower.fallback] == ["batches of 4", "the processor"]


FALLBACKS = [
    (stage, name, device)
    for stage in STAGES.values()
    for name, backend in stage.backends.items()
    for device in ("cpu", *backend.accelerators)
    if backend.oom_fallbacks
]


@pytest.mark.parametrize(("stage", "name", "device"), FALLBACKS, ids=lambda value: getattr(value, "name", value))
def test_each_fallback_of_a_real_backend_asks_for_something_else_that_the_stage_takes(
    stage: Stage, name: str, device: DeviceKind
) -> None:
    """On a GPU every fallback counts, and the last is the processor. On the processor, other parameters count."""
    backend = stage.backends[name]
    step = Step(stage.name, stage, name, backend, stage.params(), {}, {}, placed=device)
    below = fallback_steps(step)
    assert [lower.fallback for lower in below] == [
        fallback
        for fallback in backend.oom_fallbacks
        if fallback.only_on in {None, device} and (device != "cpu" or fallback.name != "the processor")
    ]
    assert device == "cpu" or below[-1].device == "cpu"
    for lower in below:
        assert lower.fallback is not None
        params = lower.params.model_dump(mode="json")
        assert {param: params[param] for param in lower.fallback.params} == dict(lower.fallback.params)
        loads = {param: params[param] for param in backend.load_params}
        assert {param: lower.load_options[param] for param in loads} == loads


def test_another_load_parameter_means_another_worker_and_another_job_parameter_does_not(bench: Bench) -> None:
    step = bench.step("well")
    params = [MisbehaveParams(), MisbehaveParams(value=1), MisbehaveParams(precision="low"), MisbehaveParams(value=2)]
    results = bench.run(*(replace(step, params=one) for one in params))
    assert [result.facts["loaded_with"] for result in results if isinstance(result, StoredResult)] == [
        "full", "full", "low", "full"
    ]  # fmt: skip
    assert bench.log().count("loaded") == 2


def test_the_log_keeps_the_traceback_of_what_ran_out(bench: Bench) -> None:
    (failed,) = bench.run(bench.step("out of memory", 0))
    assert isinstance(failed, OutOfMemory)
    assert isinstance(failed.log, Path)
    assert "Traceback" in failed.log.read_text(encoding="utf-8")
