"""A copy of the project that a test may change, with the environments and models of this one."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

_OWN = (".git", ".venvs", ".cache", "out", "reel.toml", ".*_cache", "__pycache__", "tests", "docs")


def copy_project(folder: Path, *left_out: str) -> Path:
    """Copy the project into a new folder, and return it. Tests and documents are left out unless others are named."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*(left_out or _OWN)))
    for shared in (".venvs", ".cache"):
        (folder / shared).symlink_to(ROOT / shared)
    return folder


def reel_in(project: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the copy, with results and outputs of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REEL_")}
    own = {"REEL_RESULTS_DIR": str(project / "results"), "REEL_STUB": "true", "PYTHONPATH": str(project)}
    return subprocess.run(
        [sys.executable, "-P", "-m", "pipeline", *map(str, words)], cwd=project, env={**kept, **own},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def copy_whole_project(folder: Path) -> Path:
    """Copy the project with its tests and documents into a new folder, as a developer has it, and return it. What mypy
    knows of its files comes along, so that it looks only at those that change."""
    left_out = (".git", ".venvs", ".cache", "out", "reel.toml", ".pytest_cache", ".ruff_cache", "__pycache__")
    return copy_project(folder, *left_out)


def follow(command: str, project: Path) -> str:
    """Run a command that a page or a command of reel tells a developer to type. Returns what it prints."""
    done = subprocess.run(
        shlex.split(command), cwd=project, text=True, capture_output=True, stdin=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if not name.startswith(("REEL_", "PYTHON", "PYTEST"))},
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
