"""A broken contract breaks its own stage and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.project_copy import copy_project, reel_in

pytestmark = pytest.mark.slow  # a run or a process after the other

_MISTAKES = {
    "asr": ("\nx = fond\n", "NameError: name 'fond' is not defined"),
    "translate": ("\ndef (\n", "SyntaxError"),
    "mux": ("\nimport no_such_library\n", "ModuleNotFoundError: No module named 'no_such_library'"),
    "demux": ("\nSTAGE = Stage(runn=1)\n", "TypeError"),
    "subtitle": ("\nSTAGE = None\n", "STAGE is not a stage with the name `subtitle`"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("broken") / "project")


@pytest.mark.parametrize("name", _MISTAKES)
def test_a_broken_stage_is_told_with_its_place_and_the_others_work(project: Path, name: str) -> None:
    mistake, told = _MISTAKES[name]
    contract = project / "stages" / name / "stage.py"
    before = contract.read_text(encoding="utf-8")
    contract.write_text(before + mistake, encoding="utf-8")
    try:
        failed = reel_in(project, "stage", name, "samples/demo.mp4", "-o", "alone")
        assert failed.returncode == 1
        assert told in failed.stderr
        assert "[stage.broken]" in failed.stderr
        assert f"at stages/{name}/stage.py" in failed.stderr
        assert "Traceback" not in failed.stderr
        assert reel_in(project, "config", "show").returncode == 0
    finally:
        contract.write_text(before, encoding="utf-8")


def test_a_run_that_needs_it_says_so_before_the_first_step(project: Path) -> None:
    contract = project / "stages" / "mux" / "stage.py"
    before = contract.read_text(encoding="utf-8")
    contract.write_text(f"{before}\nx = fond\n", encoding="utf-8")
    try:
        failed = reel_in(project, "run", "samples/demo.mp4")
        assert failed.returncode == 1
        assert "the stage mux cannot be loaded" in failed.stderr
        assert " started " not in failed.stderr
        for command in ("plan samples/demo.mp4 --recipe transcribe", "models list", "runs list", "envs list"):
            done = reel_in(project, *command.split())
            assert done.returncode == 0, f"{command}: {done.stderr}"
    finally:
        contract.write_text(before, encoding="utf-8")
