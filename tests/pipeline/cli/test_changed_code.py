"""A run notices changed code of a stage, redoes that stage and reuses the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.project_copy import copy_project, reel_in

pytestmark = pytest.mark.slow  # a run or a process after the other


def test_changed_code_is_redone_alone_with_its_reason_and_a_comment_redoes_nothing(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    assert reel_in(project, "run", "samples/demo.mp4").returncode == 0
    stage = project / "stages" / "vad" / "silero.py"
    before = stage.read_text(encoding="utf-8")

    stage.write_text(f"{before}\n# a comment\n", encoding="utf-8")
    assert _verdicts(project) == {"reused"}

    stage.write_text(f"{before}\n_CHANGED = True\n", encoding="utf-8")
    planned = _planned(project)
    assert {name for name, (verdict, _) in planned.items() if verdict == "reused"} == {"demux", "sounds", "shots"}
    assert planned["vad"][0] == "redone"
    assert planned["vad"][1].startswith("the code is ")
    run = reel_in(project, "run", "samples/demo.mp4")
    assert [line.split()[0] for line in run.stderr.splitlines() if " started " in line] == ["vad"]

    stage.write_text(before, encoding="utf-8")
    assert _verdicts(project) == {"reused"}


def _planned(project: Path) -> dict[str, tuple[str, str]]:
    steps = json.loads(reel_in(project, "plan", "samples/demo.mp4", "--json").stdout)["data"]["items"][0]["steps"]
    return {step["step"]: (step["verdict"], step["reason"]) for step in steps}


def _verdicts(project: Path) -> set[str]:
    return {verdict for verdict, _ in _planned(project).values()}
