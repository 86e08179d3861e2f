"""`reel doctor`: one line for each thing, with the command that helps, and no line for what nothing here needs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.cli.parser import parse


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Make the project an empty folder."""
    monkeypatch.setenv("REEL_PROJECT", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HOME", "HF_TOKEN_PATH", "MODEL_CACHE_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    """Return the lines of the report by their states."""
    assert main(["doctor"]) == 0
    states: dict[str, list[str]] = {}
    for line in capsys.readouterr().out.splitlines():
        state, rest = line.split(maxsplit=1)
        states.setdefault(state, []).append(rest)
    return states


def test_a_cache_of_another_service_is_told_apart_from_the_one_that_is_used(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert not any(line.startswith("cache ") for line in shown(capsys)["ok"])
    monkeypatch.setenv("MODEL_CACHE_PATH", "/cache")
    [told] = [line for line in shown(capsys)["ok"] if line.startswith("cache ")]
    assert str(tmp_path / ".cache") in told
    assert "MODEL_CACHE_PATH=/cache is not read: `REEL_CACHE_DIR` chooses" in told


def test_what_the_profile_lacks_has_a_line_with_its_command_and_the_rest_is_counted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    states = shown(capsys)
    assert any(line.startswith("environment lite ") for line in states["later"])
    assert any(line.startswith("model faster-whisper-base ") for line in states["later"])
    for line in states["later"]:
        (command,) = re.findall(r"`\./(reel [^`]+)`", line)
        parse(command.split()[1:])
    assert [line.split()[0] for line in states["unused"]] == ["environments", "models"]
    assert not list(tmp_path.iterdir()), "it writes nothing"


def test_programs_get_a_row_for_each_thing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["data"]["checks"]
    states = {check["what"]: check["state"] for check in checks}
    assert states["environment lite"] == "later"
    assert states["environment nemo"] == "unused"
    assert states["model parakeet-v2"] == "unused"


def test_the_token_is_told_of_by_its_place_and_never_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert any(line.split()[:2] == ["token", "none"] for line in shown(capsys)["ok"])
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    (line,) = [line for line in shown(capsys)["ok"] if line.startswith("token")]
    assert "the variable HF_TOKEN" in line
    assert "hf_secret" not in line
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "secrets.json").write_text('{"hf_token": "hf_secret"}', encoding="utf-8")
    (tmp_path / "config" / "secrets.json").chmod(0o644)
    assert main(["doctor"]) == 5
    told = capsys.readouterr().out
    assert "can be read by others" in told
    assert "hf_secret" not in told
