"""From an idea to a running stage: the page is followed, and so is every next step that the commands print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.plan.stage_sources import read_pins
from tests.conftest import ROOT
from tests.project_copy import copy_whole_project, follow

_PAGE = ROOT / "docs" / "how-to" / "add-a-stage.md"
_COMMANDS = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_ALL_TESTS = "./scripts/test"
TOOLS = ".venvs/test/bin/"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_whole_project(tmp_path_factory.mktemp("stage") / "project")


def next_steps(said: str) -> list[str]:
    """Return the commands that a skeleton prints."""
    return [line.split("#")[0].strip() for line in said.split("next:\n")[1].splitlines()]


def test_the_page_about_adding_a_stage_adds_one_when_it_is_followed(project: Path) -> None:
    told = [
        line.strip() for block in _COMMANDS.findall(_PAGE.read_text(encoding="utf-8")) for line in block.splitlines()
    ]
    assert told[-1] == _ALL_TESTS
    said = {command: follow(command, project) for command in told[:-1]}
    assert next_steps(said[told[0]]) == told[1:-1], "the page says what the command prints"
    assert (project / "out" / "demo" / "demo.talk_share.txt").read_text(encoding="utf-8")
    assert (project / "parts" / "report.txt").read_text(encoding="utf-8") == "unknown\t2\n", "words of the stubs"
    assert "talk_share" in read_pins(project / "config" / "stage_versions.json").stages
    assert "talk_share" in (project / "docs" / "reference" / "stages.md").read_text(encoding="utf-8")


def test_a_new_backend_works_before_a_line_of_it_is_changed(project: Path) -> None:
    said = follow("./reel stages new-backend vad my-detector", project)
    follow("./reel stage demux samples/demo.mp4 -o parts", project)
    for command in next_steps(said):
        follow(command.replace("AUDIO", "parts/speech.wav"), project)
    assert (project / "parts" / "speech.json").is_file()
    assert "my-detector" in (project / "docs" / "reference" / "stages.md").read_text(encoding="utf-8")


def test_the_project_with_both_passes_its_own_checks(project: Path) -> None:
    """Run those checks of `./scripts/test` that look at what was written."""
    follow(f"{TOOLS}ruff check .", project)
    follow(f"{TOOLS}ruff format --check .", project)
    follow(f"{TOOLS}mypy stages/talk_share stages/vad/my_detector.py tests/stages/talk_share", project)
    about = "contract or version or docstring or public or registry or one_case"
    follow(f"{TOOLS}python -m pytest -q tests/test_house.py tests/real/test_conformance.py -k '{about}'", project)
