"""Which ffmpeg stages get."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.base.errors import UsageError
from pipeline.base.project import CONFIG
from pipeline.base.settings import FfmpegChoice
from pipeline.environments.environments import Environments, load_families
from pipeline.environments.ffmpeg import Tools

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the program is a shell script")


def a_program(folder: Path, version: str) -> Path:
    program = folder / "ffmpeg"
    program.write_text(f"#!/bin/sh\necho 'ffmpeg version {version} Copyright (c)'\n")
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
