"""A wrong command line: what is wrong, the nearest name of every kind, how the command is written, also as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cli.flag_values import given, label, split_list
from pipeline.cli.main import main
from pipeline.cli.options.commands import COMMANDS, arguments_of
from pipeline.cli.options.declare import flags_of


@pytest.fixture
def film(tmp_path: Path) -> str:
    place = tmp_path / "film.mp4"
    place.write_text("film", encoding="utf-8")
    return str(place)


@pytest.mark.parametrize(
    ("words", "code", "near"),
    [
        ("rnu film.mkv", "usage.command", "./reel run"),
        ("modles list", "usage.command", "./reel models"),
        ("fetch", "usage.command", "./reel models fetch"),
        ("models fetsh", "usage.command", "./reel models fetch"),
        ("help rnu", "usage.command", "./reel run"),
        ("run film.mkv --formts srt", "usage.flag", "--formats"),
        ("run film.mkv --format srt", "usage.flag", "--formats"),
        ("run film.mkv --lang=hi", "usage.flag", "--language"),
        ("run film.mkv --no-flim", "usage.flag", "--no-film"),
        ("config show --orign", "usage.flag", "--origin"),
        ("run film.mkv --order smalest", "usage.value", "smallest"),
        ("run film.mkv --progress plian", "usage.value", "plain"),
        ("stage asrr film.mkv -o out", "stage.unknown", "asr"),
        ("models add mine . --stage asrr", "stage.unknown", "asr"),
        ("stage asr film.mkv -o out --backend faster-wisper", "backend.unknown", "faster-whisper"),
        ("models fetch faster-whisper-bse", "model.unknown", "faster-whisper-base"),
        ("models lock faster-whisper-bse", "model.unknown", "faster-whisper-base"),
        ("envs check ltie", "environment.unknown", "lite"),
        ("envs why speech transfromers", "environment.unknown", "transformers"),
        ("models fetch --profile startr", "profile.unknown", "starter"),
        ("config show --guide netflx", "usage.flag", ""),
        ("config show --set guide=netflx", "guide.unknown", "netflix"),
        ("config show --set asr.beem_size=3", "params.invalid", "beam_size"),
        ("config show --set profil=starter", "settings.unknown", "profile"),
        ("plan FILM --recipe subtitels", "recipe.unknown", "subtitle"),
        ("plan FILM --to portugese", "settings.value", "Portuguese"),
        ("plan FILM --language klingn", "params.invalid", ""),
    ],
)
def test_the_nearest_name_of_every_kind_is_offered(
    words: str, code: str, near: str, film: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REEL_RESULTS_DIR", str(tmp_path / "results"))
    (tmp_path / "film.mkv").write_text("film", encoding="utf-8")
    assert main([word.replace("FILM", film) for word in words.split()]) == 2
    told = capsys.readouterr().err
    assert f"[{code}]" in told
    assert near in told
    assert "Traceback" not in told


FLAGS = [flag for command in COMMANDS for flag in flags_of(arguments_of(command))]
READERS = sorted({flag.read for flag in FLAGS if flag.read}, key=str)


@pytest.mark.parametrize("read", [read for read in READERS if read not in {given, split_list, label}])
def test_each_flag_says_in_words_what_it_expects(read: Callable[[str], object]) -> None:
    with pytest.raises(ValueError, match=r"^(an?|two|plex or) "):
        read("\u2603=")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["models"], "usage.command", "list, fetch, add"),
        (["--offline", "run"], "usage.flag", "flags come after the command"),
        (["plan", "a", "--wait"], "usage.flag", "`--wait` is a flag of `reel run`"),
        (["stage"], "usage.missing", "`NAME` and `INPUT...` and `--output DIR`"),
        (["watch"], "usage.missing", "`DIR...`"),
        (["runs", "list", "x"], "usage.surplus", "`x`"),
        (["run", "a", "--limit", "0"], "usage.value", "a whole number, 1 or more"),
        (["run", "a", "--speakers", "two"], "usage.value", "a whole number"),
        (["watch", "a", "--settle", "soon"], "usage.value", "a number of seconds"),
        (["cluster", "up", "--label", "gpu=many"], "usage.value", "`nvenc=3`"),
        (["run", "a", "--to"], "usage.refused", "`--to` needs a value"),
        (["run", "a", "--keep-going", "--fail-fast"], "usage.refused", "exclude each other"),
        (["run", "a", "-q", "-v"], "usage.refused", "exclude each other"),
        (["run", "a", "--json=yes"], "usage.refused", "`--json`"),
    ],
)
def test_the_cause_and_the_usage_of_the_command_are_told(
    words: list[str], code: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert f"[{code}]" in told.err
    assert says in told.err
    command = next((one.name for one in COMMANDS if tuple(words[: len(one.words)]) == one.words), "")
    assert re.search(rf"^usage: reel {command}", told.err, re.MULTILINE)
    assert "hint: " in told.err


@pytest.mark.parametrize(
    ("words", "command"),
    [(["run", "a", "--bogus", "--json"], "run"), (["models", "fetsh", "--json"], ""), (["--json"], "")],
)
def test_a_usage_error_obeys_json(words: list[str], command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    document = json.loads(capsys.readouterr().out)
    assert (document["command"], document["status"], document["data"]) == (command, "failed", None)
    assert [error["code"].split(".")[0] for error in document["errors"]] == ["usage"]


def test_json_as_a_file_name_is_not_the_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--bogus", "--", "--json"]) == 2
    assert capsys.readouterr().out == ""


def test_files_may_stand_on_both_sides_of_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    from pipeline.cli.options.jobs import RunMedia
    from pipeline.cli.parser import parse

    _, arguments = parse(["run", "a.mkv", "--to", "pt", "b.mkv"])
    assert isinstance(arguments, RunMedia)
    assert arguments.media == ("a.mkv", "b.mkv")


@pytest.mark.parametrize(("name", "says"), [("none.srt", "is not there"), ("", "is not a file")])
def test_a_file_to_check_that_is_none_is_told_apart_from_one_that_is_missing(
    tmp_path: Path, name: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(tmp_path / name)]) == 4
    told = capsys.readouterr().err
    assert says in told
    assert "[check.missing]" in told
