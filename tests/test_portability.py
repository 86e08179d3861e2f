"""Claims about other systems that can be held on this one: what Windows or macOS lacks is named in one module for each
concern, which has another way beside it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.source_tree import PACKAGES, ROOT, name_of, nodes_of, python_files


@dataclass(frozen=True)
class Concern:
    """Names that some system lacks, and the modules that may use them because they do without them elsewhere."""

    names: frozenset[str]
    modules: frozenset[str]


CONCERNS = {
    "groups of processes, and their end": Concern(
        frozenset({"preexec_fn", "start_new_session", "creationflags", "killpg", "getpgid", "setsid", "getppid",
                   "prctl", "SIGKILL", "SIGSTOP", "SIGCONT", "SIGHUP", "SIGUSR1"}),
        frozenset({"shared/processes.py"}),
    ),
    "hard links": Concern(frozenset({"link", "hardlink_to"}), frozenset({"shared/files.py"})),
    "locks of files": Concern(
        frozenset({"flock", "lockf", "LOCK_EX"}),
        frozenset({"pipeline/environments/bootstrap_core.py", "pipeline/publishing/placing.py"}),
    ),
    "numbers of users": Concern(  # Ray's nodes find each other on Linux only; secrets have modes of POSIX
        frozenset({"getuid", "geteuid", "getgid"}),
        frozenset({"pipeline/workers/ray/cluster.py", "pipeline/base/secret_file.py"}),
    ),
}  # fmt: skip
PROC = {
    "pipeline/base/processor.py", "pipeline/store/network_disk.py", "pipeline/workers/ray/cluster.py",
    "shared/process_memory.py", "pipeline/base/nvidia.py", "pipeline/base/hardware.py",
}  # fmt: skip


@cache
def _names(path: Path) -> frozenset[str]:
    """Return what a file takes from modules of the system, and the keywords of its calls."""
    return frozenset(_each_name(path))


def _each_name(path: Path) -> Iterator[str]:
    for node in nodes_of(path):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in {"os", "signal", "fcntl", "subprocess"} or node.attr == "hardlink_to":
                yield node.attr
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg


@pytest.mark.parametrize("concern", CONCERNS)
def test_what_a_system_lacks_is_named_in_one_place(concern: str) -> None:
    names, modules = CONCERNS[concern].names, CONCERNS[concern].modules
    users = {name_of(path): found for path in python_files(*PACKAGES) if (found := names & _names(path))}
    assert set(users) <= modules, {name: found for name, found in users.items() if name not in modules}


def test_the_files_of_linux_are_read_only_where_there_is_another_way() -> None:
    readers = {
        name_of(path)
        for path in python_files(*PACKAGES)
        for node in nodes_of(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("/proc/")
    }
    assert readers <= PROC, readers - PROC


def test_line_ends_stay_as_they_are_in_a_clone_by_git_for_windows() -> None:
    rules = (ROOT / ".gitattributes").read_text(encoding="utf-8").splitlines()
    assert "* text=auto eol=lf" in rules
    for name in ("reel", "bootstrap.sh", "cache-models.sh"):
        assert b"\r" not in (ROOT / name).read_bytes()
