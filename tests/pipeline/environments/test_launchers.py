"""The launchers run in every shell that may be `sh`, and are scripts that PowerShell and cmd.exe can start."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.source_tree import ROOT, shell_files

SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"], "ksh": ["ksh"]}
HERE = [name for name in SHELLS if shutil.which(name)]


def test_there_is_a_shell_to_try() -> None:
    assert HERE


@pytest.mark.parametrize("shell", HERE)
def test_every_launcher_is_a_script_of_posix(shell: str) -> None:
    scripts = [path for path in shell_files() if path.read_text(encoding="utf-8").startswith("#!/bin/sh")]
    assert ROOT / "reel" in scripts
    for script in scripts:
        done = subprocess.run([*SHELLS[shell], "-n", script], capture_output=True, encoding="utf-8")
        assert (done.returncode, done.stderr) == (0, ""), script


@pytest.mark.parametrize("shell", HERE)
@pytest.mark.parametrize("script", ["reel", "bootstrap.sh", "cache-models.sh"])
def test_each_launcher_shows_its_help(shell: str, script: str) -> None:
    done = subprocess.run([*SHELLS[shell], ROOT / script, "--help"], capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: ")


def test_the_launcher_for_cmd_starts_the_one_for_powershell() -> None:
    assert '"%~dp0reel.ps1" %*' in (ROOT / "reel.cmd").read_text(encoding="utf-8")
