"""Nothing leaves the machine while a stage works: no download, no question for a newer model, no telemetry."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.app import App
from pipeline.project import CODE_ROOT
from shared.environment_manager import ChildPaths, child_environment
from tests.fakes.leaks import detect_leaks
from tests.real.cases import HERE, Case, Material
from tests.real.conftest import CaseApp, MakeStages

# Ways to leave that model libraries take, and what the detector must have seen of each.
ASK_BY_HTTPS = ("import urllib.request as u; u.urlopen('https://models.invalid/a')", "CONNECT models.invalid:443")
ASK_BY_HTTP = ("import urllib.request as u; u.urlopen('http://models.invalid/a')", "GET http://models.invalid/a")
ASK_THE_HUB = ("import huggingface_hub as h; h.hf_hub_download('a/b', 'config.json')", "CONNECT huggingface.co:443")


@dataclass(frozen=True)
class ColdRun:
    """A job in a new worker: what it wrote, whom it tried to reach, and which files it left where models lie."""

    content: dict[str, bytes]
    attempts: list[str]
    left_behind: set[Path]


def _files_of_libraries(cache: Path) -> set[Path]:
    """Every file where some library keeps models, and in what the stage sees as its home."""
    places = ("huggingface", "models", "torch", "nemo", "nltk_data", "tiktoken", "home")
    return {path for place in places for path in (cache / place).rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def cold_run(make_stages: MakeStages, case_app: CaseApp, material: Material) -> Callable[[Case], ColdRun]:
    done: dict[Case, ColdRun] = {}

    def run(case: Case) -> ColdRun:
        if case not in done:
            app = case_app(case)
            case.job(material)  # what the job is made from is made before anybody listens
            before = _files_of_libraries(app.project.cache)
            with detect_leaks(case.allowed) as leaks:
                stages = make_stages(app, leaks.variables)
                content = case.run(stages, material).content()
                stages.close()  # here, so that nothing is told after the end either
            assert bool(leaks.passed) == bool(case.allowed), "a service was not asked, or not by way of the detector"
            done[case] = ColdRun(content, leaks.attempts, _files_of_libraries(app.project.cache) - before)
        return done[case]

    return run


@pytest.mark.parametrize("case", HERE, ids=str)
def test_nothing_leaves_while_a_backend_loads_and_works(case: Case, cold_run: Callable[[Case], ColdRun]) -> None:
    run = cold_run(case)
    assert run.content
    assert run.attempts == []


@pytest.mark.parametrize("case", HERE, ids=str)
def test_no_stage_leaves_a_model_behind_anywhere(case: Case, cold_run: Callable[[Case], ColdRun]) -> None:
    """A library that looks for a model by itself would put it somewhere; the user's own home is watched always."""
    assert cold_run(case).left_behind == set()


@pytest.mark.parametrize(("program", "seen"), [ASK_BY_HTTPS, ASK_BY_HTTP, ASK_THE_HUB], ids=["https", "http", "hub"])
def test_the_detector_sees_who_leaves(program: str, seen: str, real_app: App, tmp_path: Path) -> None:
    """The same variables, handed on in the same way, to a process that does want to leave."""
    real_app.environments.ensure("lite", lambda event: None)
    paths = ChildPaths(CODE_ROOT, tmp_path, (), tmp_path / "home")
    with detect_leaks() as leaks:
        variables = child_environment(paths, {**os.environ, **leaks.variables}, offline=False)
        command = [str(real_app.environments.python("lite")), "-c", program]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode != 0, "the detector let it through"
    assert seen in leaks.attempts
