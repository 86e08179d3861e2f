"""Lines of an installer about packages become events; its log keeps the rest."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipeline.base import events
from pipeline.cli.reporters.plain_lines import line_of
from pipeline.cli.reporters.progress_bars import Bars
from pipeline.environments.installer import install, reason_in
from tests.processes import gone

SAYS = """\
Resolved 3 packages in 1.01s
Downloading torch (845.3MiB)
Downloading numpy (16.1MiB)
 Downloaded numpy
 Downloaded torch
Prepared 2 packages in 3.76s
 Downloaded what was never announced
"""


def _run(script: str, log: Path) -> tuple[bool, list[events.Event]]:
    heard: list[events.Event] = []
    good = install([sys.executable, "-c", script], {}, log, "environment speech", heard.append)
    return good, heard


def test_packages_are_told_when_they_begin_to_come_and_when_they_are_there(tmp_path: Path) -> None:
    good, heard = _run(f"import sys; sys.stderr.write({SAYS!r})", tmp_path / "speech.log")
    assert good
    torch, numpy = 886_361_293, 16_882_074
    assert [event for event in heard if isinstance(event, events.PackageStarted)] == [
        events.PackageStarted("environment speech", "torch", torch),
        events.PackageStarted("environment speech", "numpy", numpy),
    ]
    assert [e.file for e in heard if isinstance(e, events.FileEnded)] == ["numpy", "torch"]
    assert [(e.done_bytes, e.total_bytes) for e in heard if isinstance(e, events.SetupProgress)] == [
        (numpy, torch + numpy),
        (torch + numpy, torch + numpy),
    ]
    assert (tmp_path / "speech.log").read_text(encoding="utf-8") == SAYS


def test_an_installer_that_fails_leaves_its_words_after_those_of_earlier_ones(tmp_path: Path) -> None:
    log = tmp_path / "speech.log"
    log.write_text("made the folder\n", encoding="utf-8")
    good, heard = _run("print('error: no space left', flush=True); raise SystemExit(2)", log)
    assert (good, heard) == (False, [])
    assert log.read_text(encoding="utf-8") == "made the folder\nerror: no space left\n"


def test_an_installer_does_not_outlive_an_interrupt(tmp_path: Path) -> None:
    at_work = tmp_path / "pid"
    script = (
        f"import os, pathlib, sys, time; pathlib.Path({str(at_work)!r}).write_text(str(os.getpid()))\n"
        "print('Downloading torch (845.3MiB)', flush=True); time.sleep(60)"
    )

    def interrupted(event: events.Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install([sys.executable, "-c", script], {}, tmp_path / "speech.log", "environment speech", interrupted)
    assert gone([int(at_work.read_text(encoding="utf-8"))])


def test_a_package_that_comes_is_a_line_in_a_pipe_and_a_bar_on_a_terminal() -> None:
    coming = events.PackageStarted("environment speech", "torch", 886_361_293)
    assert line_of(coming) == "  torch: 886 MB to come"
    bars = Bars()
    bars.emit(coming)
    assert [task.description for task in bars.tasks] == ["  torch (886 MB)"]
    bars.emit(events.FileEnded("environment speech", "torch", True, 886_361_293, 9.0))
    assert bars.tasks == []


_BEFORE = "Using CPython 3.11.7\nerror: something of an earlier try\n  cause: long gone\n"
_CERTIFICATE = """\
error: Failed to fetch: https://localhost/simple/numpy/
  cause: error sending request for url (https://localhost/simple/numpy/)
  cause: client error (Connect)
  cause: invalid peer certificate: UnknownIssuer

hint: If you trust the issuer, pass `--system-certs`
      to use the certificates of this machine.
"""
_UNSUITED = """\
  × No solution found when resolving dependencies:
  ╰─▶ Because numpy was not found in the cache and you require numpy==2.0,
      we can conclude that your requirements are unsatisfiable.

      hint: Packages were unavailable because the network was disabled.
"""
_BUILD = """\
error: Failed to build `oldie==1.0`
  cause: Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)

[stderr]
SyntaxError: print

hint: This usually indicates a problem with the package.
"""


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (_CERTIFICATE, "Failed to fetch: https://localhost/simple/numpy/: invalid peer certificate: UnknownIssuer"),
        (
            _UNSUITED,
            "No solution found when resolving dependencies: Because numpy was not found in the cache and you require"
            " numpy==2.0, we can conclude that your requirements are unsatisfiable.",
        ),
        (_BUILD, "Failed to build `oldie==1.0`: Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)"),
        ("error: No space left on device (os error 28)\n", "No space left on device (os error 28)"),
        ("error:\n", "the installer gave no reason"),
    ],
    ids=["certificate", "unsuited", "build", "disk", "nothing"],
)
def test_the_reason_of_a_failure_is_its_cause_and_no_hint(tmp_path: Path, told: str, reason: str) -> None:
    log = tmp_path / "speech.log"
    log.write_text(_BEFORE + told, encoding="utf-8")
    assert reason_in(log) == reason


@pytest.mark.parametrize(
    ("told", "reason"), [("", "the installer gave no reason"), ("Resolved 3 packages\nKilled\n", "Killed")]
)
def test_an_installer_that_ends_without_an_error_of_its_own_has_said_its_last_line(
    tmp_path: Path, told: str, reason: str
) -> None:
    log = tmp_path / "speech.log"
    log.write_text(told, encoding="utf-8")
    assert reason_in(log) == reason
