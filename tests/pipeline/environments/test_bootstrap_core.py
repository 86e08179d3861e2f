"""Claims about the machines that the core environment is made on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.environments.bootstrap_core import Machine, this_machine, unsupported

_LOCK = (CONFIG / "environments" / "core.lock").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("machine", "found"),
    [
        (Machine("darwin", "x86_64", True, "14.5"), "darwin on x86_64"),
        (Machine("darwin", "arm64", True, "13.6.1"), "for macOS 13.6.1"),
        (Machine("darwin", "arm64", True, ""), "for macOS of unknown version"),
        (Machine("win32", "ARM64", True, ""), "win32 on ARM64"),
        (Machine("linux", "i686", False, ""), "linux on i686"),
        (Machine("linux", "x86_64", False, ""), "32-bit"),
        (Machine("linux", "riscv64", True, ""), "linux on riscv64"),
        (Machine("linux", "armv7l", False, ""), "linux on armv7l"),
        (Machine("freebsd14", "amd64", True, ""), "freebsd14 on amd64"),
        (Machine("linux", "", True, ""), "linux on an unknown processor"),
    ],
)
def test_a_machine_of_no_lock_is_refused_and_named(machine: Machine, found: str) -> None:
    why = unsupported(machine)
    assert why is not None
    assert why[0].endswith(f"this Python is {found} [core.platform]")
    assert why[1]


def test_under_rosetta_the_hint_names_the_other_python() -> None:
    why = unsupported(Machine("darwin", "x86_64", True, "15.0"))
    assert why is not None
    assert "Rosetta" in why[1]
    assert "REEL_PYTHON=" in why[1]


def test_the_machines_that_are_taken_are_those_of_the_lock() -> None:
    systems = ("linux", "darwin", "win32", "freebsd14")
    machines = ("x86_64", "aarch64", "arm64", "AMD64", "ARM64", "i686", "riscv64")
    taken = {(s, m) for s, m in product(systems, machines) if unsupported(Machine(s, m, True, "15.0")) is None}

    marker = _LOCK.splitlines()[0]
    locked = set()
    for group in re.findall(r"\(?platform_machine[^()]*?\)? and sys_platform == '\w+'", marker):
        system = re.search(r"sys_platform == '(\w+)'", group)
        assert system
        locked |= {(system[1], machine) for machine in re.findall(r"platform_machine == '(\w+)'", group)}

    assert taken == locked


def test_this_machine_is_taken() -> None:
    assert unsupported(this_machine()) is None


@pytest.mark.skipif(shutil.which("setarch") is None or sys.platform != "linux", reason="setarch stands for the machine")
def test_on_a_machine_of_no_lock_nothing_is_installed_and_nothing_marked_as_done(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(CONFIG / "environments", checkout / "config" / "environments")
    command = ["setarch", "i686", sys.executable, "-P", "-m", "pipeline.environments.bootstrap_core", str(checkout)]

    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(CODE_ROOT)}, capture_output=True, encoding="utf-8"
    )

    assert done.returncode == 5
    assert "this Python is linux on i686 [core.platform]" in done.stderr
    assert not (checkout / ".venvs").exists()
