"""Shell completion: what fits after the words typed so far."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from argcomplete.finders import CompletionFinder

from pipeline.base.project import CONFIG
from pipeline.cli.completion import ASKED, complete, shell_code
from pipeline.cli.known_names import names_of_kind
from pipeline.environments.families import load_families
from pipeline.model_cache.manifest import load_manifest
from pipeline.plan.profile import load_profiles
from pipeline.plan.registry import STAGES
from tests.conftest import ROOT


class _Ended(Exception):
    """The process would have ended."""


def offered(line: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the words that a shell is given for what is typed."""

    def end(code: int) -> None:
        assert code == 0
        raise _Ended

    for name, value in {ASKED: "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(CompletionFinder, "_init_debug_stream", lambda self: None)  # it takes file descriptor 9
    stream = io.StringIO()
    monkeypatch.setattr(stream, "close", lambda: None)
    with pytest.raises(_Ended):
        complete(end, stream)
    return {word.strip() for word in stream.getvalue().split("\n") if word.strip()}


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ("reel ru", {"run", "runs"}),
        ("reel models f", {"fetch"}),
        ("reel run --pro", {"--profile", "--progress", "--project"}),
        ("reel run film.mkv --no-f", {"--no-film", "--no-fill-gaps"}),
        ("reel run --progress p", {"plain"}),
        ("reel run --profile st", {"starter"}),
        ("reel run --profile=st", {"--profile=starter"}),
        ("reel run --recipe tr", {"transcribe", "translate"}),
        ("reel run --guide ne", {"netflix"}),
        ("reel run --to pt,h", {"pt,ha", "pt,haw", "pt,he", "pt,hi", "pt,hr", "pt,ht", "pt,hu", "pt,hy"}),
        ("reel run --set asr.beam", {"asr.beam_size="}),
        ("reel stage al", {"align"}),
        ("reel stage d", {"demux", "diarize"}),
        ("reel stage asr film.mkv --backend faster", {"faster-whisper"}),
        ("reel models fetch faster-whisper-b", {"faster-whisper-base"}),
        ("reel envs ensure be", {"bergamot"}),
        ("reel help mod", {"models"}),
        ("reel completion z", {"zsh"}),
        ("reel doctor --", {"--debug", "--help", "--json", "--project", "--quiet", "--remember", "--verbose"}),
        ("reel runs list x", set()),
    ],
)
def test_the_words_that_fit_are_offered(line: str, fits: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(line, monkeypatch) == fits


def test_a_file_is_offered_where_a_file_is_meant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "film.mkv").touch()
    (tmp_path / "films").mkdir()
    assert offered("reel run fi", monkeypatch) == {"film.mkv", "films/"}
    assert offered("reel watch fi", monkeypatch) == {"films/"}


def test_the_names_are_those_that_there_are() -> None:
    assert names_of_kind("stage") == sorted(STAGES)
    assert {*names_of_kind("model")} >= {*load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")[0]}
    assert names_of_kind("environment") == sorted(load_families(CONFIG / "environments.toml"))
    assert names_of_kind("profile") == sorted(["auto", *load_profiles(CONFIG / "profiles")])
    for kind in ("recipe", "guide", "language", "setting", "command"):
        assert names_of_kind(kind), kind
    assert names_of_kind("file") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_code_for_a_shell_names_the_command(shell: str) -> None:
    code = shell_code(shell)
    assert "reel" in code
    if interpreter := shutil.which(shell):
        subprocess.run([interpreter, "-n", "-c", code], check=True)


def test_bash_completes_the_command_as_it_is_typed(tmp_path: Path) -> None:
    program = tmp_path / "reel"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -P -m pipeline "$@"\n', encoding="utf-8"
    )
    program.chmod(0o755)
    script = (
        'source <(./reel completion bash); COMP_LINE="./reel stage al"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9;'
        'function=$(complete -p reel | sed "s/.*-F \\([^ ]*\\) .*/\\1/"); "$function" ./reel; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["align"], done.stderr


def test_a_press_of_tab_sets_nothing_up(tmp_path: Path) -> None:
    shutil.copy(ROOT / "reel", tmp_path)
    done = subprocess.run(
        [tmp_path / "reel"], env={"PATH": "/usr/bin:/bin", ASKED: "1"}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["reel"]
