"""A run that shows no progress shows its errors all the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.cli.main import main


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A media file that is refused before its first step."""
    for folder in ("cache", "results", "output"):
        monkeypatch.setenv(f"REEL_{folder.upper()}_DIR", str(tmp_path / folder))
    monkeypatch.setenv("REEL_STUB", "true")
    place = tmp_path / "film.mkv"
    place.touch()
    return str(place)


@pytest.mark.parametrize("flags", [["--progress", "none"], ["-q"], ["--progress", "plain"], ["-v"]])
def test_one_broken_file_is_told_with_its_reason(
    flags: list[str], empty: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", empty, *flags]) == 4
    told = capsys.readouterr()
    assert told.out == ""
    assert "is empty, expected a media file [media.empty]" in told.err


def test_of_two_files_the_broken_one_is_told(empty: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.mkv").touch()
    assert main(["run", empty, str(tmp_path / "other.mkv"), "-q", "--json"]) == 3
    told = capsys.readouterr()
    errors = [line for line in told.err.splitlines() if not line.lstrip().startswith("hint:")]
    assert [line.split(":")[1].strip() for line in errors] == ["film.mkv", "other.mkv"]
    assert [error["code"] for error in json.loads(told.out)["errors"]] == ["media.empty", "media.empty"]
