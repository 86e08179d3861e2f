"""A whole run on a machine whose card its libraries cannot use: the processor does the work, and the reason is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.base import events
from pipeline.base.hardware import Hardware
from pipeline.base.nvidia import Card, find_traces
from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.base.settings import load_settings
from pipeline.engine.batch import run_batch
from pipeline.engine.media_list import Request
from pipeline.engine.project import Project, open_project
from pipeline.environments.environments import MARKER
from tests.fakes.nvidia import fake_card, fake_tool, uuid_of


@pytest.fixture
def with_card(real_project: Project, tmp_path: Path) -> Project:
    """A project on a machine with a card that only its driver's tool knows of. The environment for it is the one
    without cuBLAS under another name, so that nothing has to be downloaded."""
    folder, lite = tmp_path / "environments", real_project.installed.environments.python("lite").parent.parent
    (folder / "lite-cuda").mkdir(parents=True)
    for part in lite.iterdir():
        (folder / "lite-cuda" / part.name).symlink_to(part)
    for family in ("core", "ffmpeg", "lite"):
        (folder / family).symlink_to(lite.parent / family)
    flags = {"environments_dir": str(folder), "results_dir": str(tmp_path / "results"), "output_dir": str(tmp_path)}
    settings = load_settings(CONFIG / "defaults.toml", CODE_ROOT / "none.toml", {}, {"profile": "starter", **flags})[0]
    project = open_project(settings)
    (folder / "lite-cuda" / MARKER).unlink()
    marker = {"digest": project.installed.environments.digest("lite-cuda")}
    (folder / "lite-cuda" / MARKER).write_text(json.dumps(marker), encoding="utf-8")
    card = Card(name="made up", memory_mib=8192, uuid=uuid_of(0), capability="8.6", driver="550.54.14")
    machine = Hardware(system="Linux", machine="x86_64", cpus=2, memory_gib=8.0, cuda=(card,), mps=False, mlx=False)
    installed = replace(project.installed, hardware=machine)
    return replace(project, installed=installed, planner=replace(project.planner, hardware=machine))


@pytest.mark.skipif(bool(find_traces(None)), reason="here the libraries may find a card")
def test_a_card_that_cannot_be_used_costs_no_file_and_is_told_once_and_remembered(
    with_card: Project, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", fake_tool(tmp_path / "tool", [fake_card(mib=8192)]), prepend=":")
    told: list[events.Event] = []
    result = run_batch([Request(demo)], with_card, told.append)
    assert not result.failed
    assert list(tmp_path.glob("*/*.srt"))
    notices = [event.text for event in told if isinstance(event, events.Notice) and "card" in event.text]
    assert len(notices) == 1, notices
    assert "cannot compute on the card: RuntimeError: CUDA failed with error" in notices[0]
    assert set(with_card.installed.card_proofs().problems()) == {"lite-cuda/ctranslate2"}


def test_the_check_of_a_card_is_rehearsed_without_one(ffmpeg: Path, tmp_path: Path) -> None:
    """With stub stages: it says what holds, and what this machine cannot tell."""
    command = [sys.executable, str(CODE_ROOT / "benchmarks" / "card_check.py"), "--profile", "starter"]
    ran = subprocess.run(
        [*command, "--device", "cpu", "--repeats", "1"], env={**os.environ, "REEL_STUB": "true"}, cwd=tmp_path,
        capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "holds    a file gives the same bytes beside another: the same" in ran.stdout
    assert "-        a full card costs no file" in ran.stdout
    assert "DIFFERS" not in ran.stdout
