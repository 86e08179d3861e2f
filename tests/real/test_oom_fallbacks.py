"""A real library that gets no more memory from the system is run with its backend's next fallback. The result names the
fallback, and the backend starts with it from then on."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from pydantic import JsonValue

from pipeline.engine.project import Project
from pipeline.engine.step_run import StepCallbacks, StepRunner, UserFiles, prepare_step
from pipeline.plan.make_plan import single_step
from pipeline.plan.model import Step
from pipeline.plan.oom_fallback import steps_to_try
from pipeline.plan.registry import STAGES
from pipeline.store.results import ResultStore, StoredResult
from pipeline.store.worker_stats import Measurements
from pipeline.workers.local_host import LocalHost, local_dispatcher
from shared.documents.transcript import Transcript
from shared.environment_manager import child_environment
from shared.files import sha256_of
from shared.stage import Fallback
from tests.processes import children
from tests.real.cases import HERE, Case, Job, Material
from tests.real.conftest import CaseProject

_SPARE_BYTES = 1 << 20
# What a library frees goes back to the system at once, as glibc is told here. Otherwise it may find in its own heap
# what the system denies it: how much lies there depends on the kernels that the processor's instructions allow.
_GIVES_BACK = {
    "GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=65536:glibc.malloc.trim_threshold=0:glibc.malloc.top_pad=0"
}
_TIMES = 200


@dataclass(frozen=True)
class Expected:
    """The parameters of a case, near the last fallback because each costs a start, and the fallback that fits. The tiny
    Demucs hears less at once than the fallbacks of its backend allow, so it gets a fallback of its own."""

    asked: Mapping[str, JsonValue]
    fallback: str
    params: Mapping[str, JsonValue]
    own: tuple[Fallback, ...] | None = None
    long_winded: bool = False  # the tiny model finds enough memory in what it holds, but for a word without end


EXPECTED = {
    "asr-faster-whisper": Expected(
        {"beam_size": 2, "batch_size": 1}, "8-bit weights", {"beam_size": 2, "batch_size": 1, "compute_type": "int8"}
    ),
    "diarize-pyannote": Expected({}, "batches of 8", {"segmentation_batch_size": 8, "embedding_batch_size": 8}),
    "separate-demucs": Expected(
        {}, "segments of 1 s", {"segment": 1.0}, own=(Fallback("segments of 1 s", {"segment": 1}),)
    ),
    "translate-nllb": Expected(
        {"batch_size": 1}, "half precision", {"batch_size": 1, "dtype": "bfloat16"}, long_winded=True
    ),
}
CASES = tuple(case for case in HERE if str(case) in EXPECTED)


@dataclass
class Bench:
    """Runs a case's step as a run does, with a store and measurements of its own."""

    project: Project
    folder: Path
    warnings: list[str] = field(default_factory=list)

    def run(self, step: Step, jobs: list[Job]) -> list[StoredResult]:
        """Run the jobs in one set of workers; the worker that begins the last one gets no more memory."""
        with mock.patch(f"{LocalHost.__module__}.child_environment", _giving_back):
            return asyncio.run(self._run(step, jobs))

    async def _run(self, step: Step, jobs: list[Job]) -> list[StoredResult]:
        results, others, measurements = [], set(children(os.getpid())), Measurements(self.folder)
        project, store = self.project, ResultStore(self.folder, self.folder)
        begun: list[str] = []

        def started(worker: str) -> None:
            begun.append(worker)
            if len(begun) == len(jobs):
                for pid in set(children(os.getpid())) - others:
                    _allow_no_more(pid)

        callbacks = StepCallbacks(lambda what: None, started, lambda done: None, self.warnings.append)
        with store.open_for_writing("a test"):
            async with local_dispatcher(project.installed, self.folder / "logs", measurements) as dispatcher:
                for inputs, _ in jobs:
                    paths = {role: given for role, given in inputs.items() if isinstance(given, Path)}
                    digests = {role: sha256_of(path) for role, path in paths.items()}
                    media = {digests[role]: path for role, path in paths.items()}
                    key_context = project.key_context()
                    first, *below = steps_to_try(step, measurements.fallbacks)
                    work = prepare_step(first, digests, key_context)
                    runner = StepRunner(store, project.installed.models, dispatcher)
                    results.append(await runner.run(work, below, UserFiles(30_000, others=media), callbacks))
        measurements.save()
        return results


def _giving_back(*paths: Any, **options: Any) -> dict[str, str]:
    """Return the variables of a child, and those by which its libraries give back what they free."""
    return {**child_environment(*paths, **options), **_GIVES_BACK}


def _allow_no_more(pid: int) -> None:
    """Let the system give the process no memory beyond what it has, but for a little."""
    held = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[0]) * resource.getpagesize()
    resource.prlimit(pid, resource.RLIMIT_AS, (held + _SPARE_BYTES, resource.RLIM_INFINITY))


def _long_winded(job: Job, folder: Path) -> Job:
    """Return the job with a first segment of one endless word, which nothing can cut into parts."""
    inputs, params = job
    transcript = Transcript.read(Path(str(inputs["transcript"])))
    first = transcript.segments[0].model_copy(update={"text": "soitgoeson" * _TIMES, "words": ()})
    longer = transcript.model_copy(update={"segments": (first, *transcript.segments[1:])})
    return {**inputs, "transcript": longer.write(folder / "longer.json")}, params


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_library_that_gets_no_memory_goes_on_with_the_next_fallback(
    case: Case, case_project: CaseProject, two_media: tuple[Material, Material], tmp_path: Path
) -> None:
    wanted, project = EXPECTED[str(case)], case_project(case)
    jobs = [case.job(made) for made in two_media]
    if wanted.long_winded:
        jobs[-1] = _long_winded(jobs[-1], tmp_path)
    asked = {**jobs[0][1], **wanted.asked}
    options = replace(project.planner.options(), targets=(), stages={case.stage: asked}, guide={})
    step = single_step(STAGES[case.stage], options, {}, case.backend)
    if wanted.own:
        step = replace(step, backend=replace(step.backend, oom_fallbacks=wanted.own))
    bench = Bench(project, tmp_path)
    before, after = bench.run(step, jobs)
    assert "rung" not in before.facts
    assert [text for text in bench.warnings if "out of memory" in text], bench.warnings
    assert after.facts["rung"] == wanted.fallback
    params = after.ingredients["params"]
    assert isinstance(params, dict)
    assert {name: params[name] for name in wanted.params} == wanted.params
    remembered = steps_to_try(step, Measurements(tmp_path).fallbacks)[0].fallback
    assert remembered is not None
    assert remembered.name == wanted.fallback
