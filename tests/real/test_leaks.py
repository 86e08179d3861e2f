"""Nothing leaves the machine while a stage works: no download, no question for a newer model, no telemetry."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pipeline.base.project import CODE_ROOT
from pipeline.engine.project import Project
from shared.environment_manager import ChildPaths, child_environment
from tests.fakes.leaks import detect_leaks
from tests.real.cases import HERE, Case
from tests.real.witness import Witness

# Ways to leave that model libraries take, and what the detector must have seen of each.
ASK_BY_HTTPS = ("import urllib.request as u; u.urlopen('https://models.invalid/a')", "CONNECT models.invalid:443")
ASK_BY_HTTP = ("import urllib.request as u; u.urlopen('http://models.invalid/a')", "GET http://models.invalid/a")
ASK_THE_HUB = ("import huggingface_hub as h; h.hf_hub_download('a/b', 'config.json')", "CONNECT huggingface.co:443")


@pytest.mark.parametrize("case", HERE, ids=str)
def test_nothing_leaves_while_a_backend_loads_and_works(case: Case, witness: Witness) -> None:
    assert witness(case).attempts == []


@pytest.mark.parametrize("case", HERE, ids=str)
def test_no_stage_leaves_a_model_behind_anywhere(case: Case, witness: Witness) -> None:
    """A library that looks for a model by itself would put it somewhere; the user's own home is watched always."""
    assert witness(case).left_behind == set()


@pytest.mark.parametrize(("program", "seen"), [ASK_BY_HTTPS, ASK_BY_HTTP, ASK_THE_HUB], ids=["https", "http", "hub"])
def test_the_detector_sees_who_leaves(program: str, seen: str, real_project: Project, tmp_path: Path) -> None:
    """The same variables, handed on in the same way, to a process that does want to leave."""
    real_project.installed.environments.ensure("lite", lambda event: None)
    paths = ChildPaths(CODE_ROOT, tmp_path, (), tmp_path / "home")
    with detect_leaks() as leaks:
        variables = child_environment(paths, {**os.environ, **leaks.variables}, offline=False)
        command = [str(real_project.installed.environments.python("lite")), "-c", program]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode != 0, "the detector let it through"
    assert seen in leaks.attempts
