"""What the page about adding a backend says is done to the letter, in a copy of the project, and works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.base.project import STAGE_PINS
from pipeline.plan.stage_sources import read_pins
from shared.documents.speech import SpeechRegions
from tests.conftest import ROOT
from tests.project_copy import copy_whole_project, follow

_PAGE = ROOT / "docs" / "how-to" / "add-a-backend.md"
_NEW_FILE = re.compile(r"^The new file `(?P<path>[^`]+)`:\n\n```python\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_EDIT = re.compile(r"In\s`(?P<path>[^`]+)`:\n\n```diff\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMANDS = re.compile(r"^```(?:console|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ALL_TESTS = "./scripts/test --all"  # it would run this test again


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of the project that shares environments and models with it, changed as the page says."""
    folder = copy_whole_project(tmp_path / "project")
    page = _PAGE.read_text()
    for new in _NEW_FILE.finditer(page):
        (folder / new["path"]).write_text(new["text"])
    for edit in _EDIT.finditer(page):
        apply(edit["text"], folder / edit["path"])
    return folder


def apply(diff: str, path: Path) -> None:
    """Put the lines with a plus where their neighbours say."""
    before = "".join(line[1:] for line in diff.splitlines(keepends=True) if not line.startswith("+"))
    after = "".join(line[1:] for line in diff.splitlines(keepends=True))
    text = path.read_text()
    assert text.count(before) == 1, f"{path.name} holds {text.count(before)} times:\n{before}"
    path.write_text(text.replace(before, after))


def test_the_page_about_adding_a_backend_adds_one_when_it_is_followed(project: Path) -> None:
    told = [line.removeprefix("$ ") for block in _COMMANDS.findall(_PAGE.read_text()) for line in block.splitlines()]
    assert _ALL_TESTS in told
    said = {command: follow(command, project) for command in told if command != _ALL_TESTS}

    regions = SpeechRegions.read(project / "parts" / "speech.json")
    assert 0.3 < regions.speech_ms / regions.duration_ms < 1
    (tests,) = (out for command, out in said.items() if "-k loudness" in command)
    assert int(re.findall(r"(\d+) passed", tests)[0]) == 4
    assert "loudness" in (project / "docs" / "reference" / "stages.md").read_text()
    pinned = read_pins(project / "config" / "stage_versions.json").stages
    assert pinned["vad"] != read_pins(STAGE_PINS).stages["vad"]
    # Of the last command, that which looks at the new sources.
    tools = ".venvs/test/bin/"
    follow(f"{tools}ruff check .", project)
    follow(f"{tools}ruff format --check .", project)
    follow(f"{tools}mypy", project)
    follow(f"{tools}python -m pytest -q tests/test_house.py tests/real/test_conformance.py -k 'not cold'", project)
