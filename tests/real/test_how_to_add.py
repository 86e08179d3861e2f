"""From an idea to a running stage, and to another backend of one: both pages are followed to the letter in one copy of
the project, and so is every next step that the commands print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.base.project import STAGE_PINS
from pipeline.plan.stage_sources import read_pins
from shared.documents.speech import SpeechRegions
from tests.conftest import ROOT
from tests.project_copy import copy_whole_project, follow

_STAGE_PAGE = ROOT / "docs" / "how-to" / "add-a-stage.md"
_BACKEND_PAGE = ROOT / "docs" / "how-to" / "add-a-backend.md"
_NEW_FILE = re.compile(r"^The new file `(?P<path>[^`]+)`:\n\n```python\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_EDIT = re.compile(r"In\s`(?P<path>[^`]+)`:\n\n```diff\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMANDS = re.compile(r"^ *```(?:console|sh)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_ALL_TESTS = ("./scripts/test", "./scripts/test --all")  # they would run these tests again
_TOOLS = ".venvs/test/bin/"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project that shares environments and models with it."""
    return copy_whole_project(tmp_path_factory.mktemp("added") / "project")


def commands(page: Path) -> list[str]:
    """Return the commands of a page, without the last one, which runs all tests."""
    blocks = _COMMANDS.findall(page.read_text(encoding="utf-8"))
    *told, last = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    assert last in _ALL_TESTS
    return told


def next_steps(said: str) -> list[str]:
    """Return the commands that a skeleton prints."""
    return [line.split("#")[0].strip() for line in said.split("next:\n")[1].splitlines()]


def apply(diff: str, path: Path) -> None:
    """Put the lines with a plus where their neighbours say."""
    before = "".join(line[1:] for line in diff.splitlines(keepends=True) if not line.startswith("+"))
    after = "".join(line[1:] for line in diff.splitlines(keepends=True))
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{path.name} holds {text.count(before)} times:\n{before}"
    path.write_text(text.replace(before, after), encoding="utf-8")


def test_the_page_about_adding_a_backend_adds_one_when_it_is_followed(project: Path) -> None:
    page = _BACKEND_PAGE.read_text(encoding="utf-8")
    for new in _NEW_FILE.finditer(page):
        (project / new["path"]).write_text(new["text"], encoding="utf-8")
    for edit in _EDIT.finditer(page):
        apply(edit["text"], project / edit["path"])
    said = {command: follow(command, project) for command in commands(_BACKEND_PAGE)}
    regions = SpeechRegions.read(project / "parts" / "speech.json")
    assert 0.3 < regions.speech_ms / regions.duration_ms < 1
    (tests,) = (out for command, out in said.items() if "-k loudness" in command)
    assert int(re.findall(r"(\d+) passed", tests)[0]) == 4
    assert "loudness" in (project / "docs" / "reference" / "stages.md").read_text(encoding="utf-8")
    pinned = read_pins(project / "config" / "stage_versions.json").stages
    assert pinned["vad"] != read_pins(STAGE_PINS).stages["vad"]


def test_the_page_about_adding_a_stage_adds_one_when_it_is_followed(project: Path) -> None:
    told = commands(_STAGE_PAGE)
    said = {command: follow(command, project) for command in told}
    assert next_steps(said[told[0]]) == told[1:], "the page says what the command prints"
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


def test_the_project_with_all_of_these_passes_its_own_checks(project: Path) -> None:
    """Run those checks of the last command that look at what was written."""
    follow(f"{_TOOLS}ruff check .", project)
    follow(f"{_TOOLS}ruff format --check .", project)
    follow(f"{_TOOLS}mypy", project)
    follow(f"{_TOOLS}python -m pytest -q tests/test_house.py tests/real/test_conformance.py -k 'not cold'", project)
