"""Claims about process control. Windows and macOS are emulated: the module's own notes of the system are replaced."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.base.project import CODE_ROOT
from shared import processes

_LEAVE = "from shared import processes; {}processes.leave_with_parent(); print('still here')"


def _run(code: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=CODE_ROOT, env={**os.environ, **variables}, capture_output=True, text=True)


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_POSIX", False)
    monkeypatch.setattr(processes, "_LINUX", False)


def test_a_worker_whose_parent_is_gone_leaves() -> None:
    gone = _run(_LEAVE.format(""), {processes.PARENT: "1"})
    assert (gone.returncode, gone.stdout) == (processes.EXIT_PARENT_GONE, "")

    present = _run(_LEAVE.format(""), {processes.PARENT: str(os.getpid())})
    assert (present.returncode, present.stdout) == (0, "still here\n")


def test_on_windows_a_launcher_between_worker_and_parent_does_not_end_the_worker() -> None:
    done = _run(_LEAVE.format("processes._POSIX = processes._LINUX = False; "), {processes.PARENT: "1"})
    assert (done.returncode, done.stdout) == (0, "still here\n")


def test_a_hook_before_the_start_of_a_program_is_given_on_linux_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_LINUX", True)
    assert processes.child_options() == {"preexec_fn": processes.end_with_parent}
    monkeypatch.setattr(processes, "_LINUX", False)  # `subprocess` raises for it on Windows
    assert processes.child_options() == {}


@pytest.mark.usefixtures("windows")
def test_on_windows_a_worker_leads_a_group_and_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert processes.group_options() == {"creationflags": 0x200}
    program = tmp_path / "taskkill"
    program.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    processes.kill_group(4711)
    processes.terminate_group(4712)
    with processes.paused_group(4713):
        pass

    assert (tmp_path / "calls").read_text(encoding="utf-8") == "/T /F /PID 4711\n/T /F /PID 4712\n"


def test_killing_a_group_ends_what_its_leader_has_started() -> None:
    script = "sleep 300 & echo $!; wait"
    leader = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True, **processes.group_options())
    assert leader.stdout is not None
    child = int(leader.stdout.readline())

    processes.kill_group(leader.pid)

    assert processes.was_killed(leader.wait())
    assert leader.stdout.read() == ""  # the end of the pipe: the child has gone too
    leader.stdout.close()
    assert child != leader.pid


def test_killing_a_group_that_has_ended_does_nothing() -> None:
    leader = subprocess.Popen(["true"], **processes.group_options())
    leader.wait()

    processes.kill_group(leader.pid)


@pytest.mark.parametrize(("status", "name"), [(-9, "SIGKILL"), (-15, "SIGTERM"), (0, None), (1, None), (75, None)])
def test_the_signal_that_ended_a_process_is_named(status: int, name: str | None) -> None:
    assert processes.ending_signal(status) == name
