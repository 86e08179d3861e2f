"""`reel stage`: one stage alone, of which nothing is kept but its files."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.cli.options.commands import COMMANDS
from pipeline.plan.registry import PARAMETERS, STAGES
from tests.fakes import misbehave


def test_a_provisional_result_promises_only_what_the_command_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(STAGES, "misbehave", misbehave.STAGE)
    monkeypatch.setitem(PARAMETERS, "misbehave", tuple(misbehave.STAGE.params.model_fields))
    for folder in ("cache", "results"):
        monkeypatch.setenv(f"REEL_{folder.upper()}_DIR", str(tmp_path / folder))
    media = tmp_path / "film.mp4"
    media.touch()
    words = ("--backend", "itself", "--set", "misbehave.how=provisional", "--json")
    assert main(["stage", "misbehave", str(media), "-o", str(tmp_path / "out"), *words]) == 0
    heard = capsys.readouterr()
    assert json.loads(heard.out)["data"]["warnings"] == ["a service was away"]
    assert "provisional: `reel stage` stores nothing, so run the same command again for a better result" in heard.err
    assert "the next run" not in heard.err


@pytest.mark.parametrize("how", ["lie: missing", "lie: outside", "lie: above", "lie: folder"])
def test_outputs_are_checked_as_in_a_run_and_nothing_wrong_is_left(
    how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(STAGES, "misbehave", misbehave.STAGE)
    monkeypatch.setitem(PARAMETERS, "misbehave", tuple(misbehave.STAGE.params.model_fields))
    for folder in ("cache", "results"):
        monkeypatch.setenv(f"REEL_{folder.upper()}_DIR", str(tmp_path / folder))
    media = tmp_path / "film.mp4"
    media.touch()
    words = ("--backend", "itself", "--set", f"misbehave.how={how}")
    assert main(["stage", "misbehave", str(media), "-o", str(tmp_path / "out"), *words]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "reports success, but" in told.err
    assert "[outputs.invalid]" in told.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["logs"]


@pytest.mark.parametrize(("words", "goes_on"), [("stage vad film.mp4 -o out", False), ("run film.mp4", True)])
def test_an_interrupt_promises_to_resume_only_if_something_is_kept(
    words: str, goes_on: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    command, *rest = words.split()
    (module, function) = next(one for one in COMMANDS if one.name == command).function.split(".")
    monkeypatch.setattr(import_module(f"pipeline.cli.commands.{module}"), function, interrupted)
    assert main([command, *rest]) == 130
    assert ("the same command goes on from there" in capsys.readouterr().err) is goes_on


def test_only_what_the_command_wrote_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    media, out = tmp_path / "speech.wav", tmp_path / "out"
    media.write_bytes(b"my recording")

    def demux(folder: Path) -> int:
        return main(["stage", "demux", str(media), "-o", str(folder), "--stub"])

    assert (demux(out), demux(out)) == (0, 0)
    for mine in (out / "media.json", tmp_path / "speech.wav"):
        mine.write_text("my own", encoding="utf-8")
        assert demux(mine.parent) == 4
        assert f"{mine} would be replaced" in (told := capsys.readouterr().err)
        assert "[stage.kept]" in told
        assert mine.read_text(encoding="utf-8") == "my own"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "out", "speech.wav"]


@pytest.mark.parametrize("name", ["taken", "taken/below", "x" * 300])
def test_a_folder_that_cannot_be_made_is_refused_before_any_work(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").touch()
    assert main(["stage", "demux", str(tmp_path / "taken"), "-o", str(tmp_path / name), "--stub"]) == 4
    assert "[publish.unwritable]" in (told := capsys.readouterr().err)
    assert "started" not in told
