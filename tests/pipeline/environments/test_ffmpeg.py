"""Claims about the ffmpeg that stages get."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pipeline.base.errors import UsageError
from pipeline.base.project import CONFIG
from pipeline.base.settings import FfmpegChoice
from pipeline.environments import ffmpeg as module
from pipeline.environments.environments import Environments
from pipeline.environments.families import load_families
from pipeline.environments.ffmpeg import Tools

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the program is a shell script")


def a_program(folder: Path, version: str, parts: str = "ass libx264") -> Path:
    program = folder / "ffmpeg"
    program.write_text(
        f"""#!/bin/sh
case "$*" in
-version) echo 'ffmpeg version {version} Copyright (c)' ;;
*) printf ' T.C %s  V->V  what it does\\n' {parts} ;;
esac
echo "$*" >>{folder}/calls
""",
        encoding="utf-8",
    )
    program.chmod(0o755)
    return program


def tools(folder: Path, wanted: FfmpegChoice) -> Tools:
    families = load_families(CONFIG / "environments.toml")
    environments = Environments(folder / "venvs", CONFIG / "environments", folder / "cache", families)
    return Tools(folder / "cache", environments, str(folder), wanted)


def test_the_machines_own_ffmpeg_is_taken_unless_the_other_is_named(tmp_path: Path) -> None:
    program = a_program(tmp_path, "5.1.9")
    assert [tools(tmp_path, wanted).choose().program for wanted in ("auto", "system", "own")] == [
        program,
        program,
        None,
    ]
    assert tools(tmp_path, "own").choose().family == "ffmpeg"


def test_an_ffmpeg_that_is_too_old_is_passed_over_or_refused_where_it_is_named(tmp_path: Path) -> None:
    program = a_program(tmp_path, "4.4.2")
    assert tools(tmp_path, "auto").choose().program is None
    with pytest.raises(UsageError, match=r"5\.1 or newer on PATH, found .*ffmpeg") as refused:
        tools(tmp_path, "system").choose()
    assert refused.value.code == "tool.system"
    assert str(program) in refused.value.message


@pytest.mark.parametrize("parts", ["ass", "libx264", "drawtext"])
def test_an_ffmpeg_that_cannot_burn_in_subtitles_is_passed_over_unless_it_is_named(tmp_path: Path, parts: str) -> None:
    program = a_program(tmp_path, "7.1", parts)

    assert tools(tmp_path, "auto").choose().family == "ffmpeg"
    assert tools(tmp_path, "system").choose().program == program


def test_an_ffmpeg_is_asked_once_by_a_process_and_once_for_a_cache(tmp_path: Path) -> None:
    a_program(tmp_path, "7.1")
    first = tools(tmp_path, "auto").choose()
    assert not (tmp_path / "cache").exists(), "a look leaves nothing behind"
    calls = (tmp_path / "calls").read_text(encoding="utf-8")
    assert calls

    (tmp_path / "cache").mkdir()
    assert tools(tmp_path, "auto").choose() == first  # which writes what this process knows into the cache
    module._ask_program.cache_clear()
    assert tools(tmp_path, "auto").choose() == first
    assert (tmp_path / "calls").read_text(encoding="utf-8") == calls

    a_program(tmp_path, "7.1.1")
    assert tools(tmp_path, "auto").choose().version == "7.1.1", "another program in the same place is asked"


def test_on_windows_the_program_is_taken_where_it_lies_and_a_copy_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_WINDOWS", True)
    program = a_program(tmp_path, "7.1")
    own = tools(tmp_path, "auto")
    assert own.folder(own.choose()) == program.parent

    binaries = tmp_path / "binaries"
    binaries.mkdir()
    wheel = tools(tmp_path, "own")
    monkeypatch.setattr(Tools, "program", lambda self, tool: a_program(binaries, "7.1"))
    copy = wheel.folder(wheel.choose()) / "ffmpeg"
    before = copy.stat()
    with open(copy, "rb"):  # a worker runs it
        monkeypatch.setattr(shutil, "copy2", None)  # a second copy would fail
        assert wheel.folder(wheel.choose()) == copy.parent
    assert copy.stat() == before or copy.stat().st_ino == before.st_ino
