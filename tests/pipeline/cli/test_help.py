"""The first words that a person types: none, `--help`, `help run`, `--version`."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pipeline.cli.help_pages import group_page, overview
from pipeline.cli.main import main
from pipeline.cli.options.commands import COMMANDS, GROUPS, arguments_of
from pipeline.cli.options.declare import GROUPS as FLAG_GROUPS
from pipeline.cli.options.declare import flags_of
from tests.conftest import ROOT

WIDTH = 80


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == 0
    told = capsys.readouterr()
    assert told.err == ""
    return told.out


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_the_overview_names_every_command_and_fits_a_terminal(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    page = said(words, capsys)
    assert page.rstrip("\n") == overview()
    for command in COMMANDS:
        assert f"  {command.words[0]} " in page, command.name
    assert max(map(len, page.splitlines())) <= WIDTH


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_shows_its_commands_with_an_example(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    page = said([group, "--help"], capsys)
    assert page == said(["help", group], capsys) == f"{group_page(group)}\n"
    assert f"  ./reel {group} " in page
    assert all(f"  {one.words[1]} " in page for one in COMMANDS if one.words[0] == group)
    assert max(map(len, page.splitlines())) <= WIDTH


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_command_shows_its_examples_and_its_flags_in_groups(
    command: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(command, tuple)
    found = next(one for one in COMMANDS if one == command)
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    page = said(["help", *found.words], capsys)
    assert page.rstrip("\n") == said([*found.words, "--help"], capsys).rstrip("\n")
    assert all(f"  ./{example}\n" in page for example in found.examples)
    flags = flags_of(arguments_of(found))
    headings = [line.removesuffix(":") for line in page.splitlines() if line.endswith(":") and line[0] != " "]
    assert headings == [name for name in FLAG_GROUPS if any(flag.group == name for flag in flags)]
    assert all(option in page for flag in flags for option in flag.options)
    assert max(map(len, page.splitlines())) <= WIDTH


@pytest.mark.parametrize("words", [["--version"], ["-V"], ["version"]])
def test_the_version_is_that_of_the_project(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert said(words, capsys) == f"reel {version}\n"


def test_reel_alone_says_what_it_does_and_whether_it_is_set_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REEL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("REEL_PROFILE", "starter")
    monkeypatch.setenv("REEL_ENVIRONMENTS_DIR", str(tmp_path / "environments"))
    page = said([], capsys)
    assert [line for line in page.splitlines() if line.startswith("  ./reel ")] == [
        "  ./reel run film.mkv             subtitles in the spoken language, and film.mkv",
        "  ./reel run film.mkv --to pt,en  and in Portuguese and English",
        "  ./reel plan film.mkv            what `run` would do, and why; writes nothing",
    ]
    assert "The first run sets up the profile starter" in page
    assert max(map(len, page.splitlines())) <= WIDTH
    assert not list(tmp_path.iterdir()), "it writes nothing"


def test_settings_that_cannot_be_read_are_part_of_the_greeting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REEL_PROFILE", "startr")
    assert "cannot be used yet: there is no profile `startr`" in said([], capsys)


@pytest.mark.parametrize(
    ("words", "spared"),
    [("--help", "dataclasses pydantic rich pipeline.cli.options.jobs"), ("run --help", "pydantic rich"),
     ("help models fetch", "pydantic rich"), ("--version", "pydantic rich"),
     ("runs list", "pipeline.plan.registry pipeline.engine.project pipeline.publishing.run_report.job_facts")],
)  # fmt: skip
def test_a_command_imports_only_what_it_shows(words: str, spared: str, tmp_path: Path) -> None:
    script = (
        f"import sys; from pipeline.cli.main import main; main({words.split()});"
        f"print({{*{spared.split()}}} & {{*sys.modules}})"
    )
    environ = {**os.environ, "REEL_PROJECT": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.splitlines()[-1] == "set()"
