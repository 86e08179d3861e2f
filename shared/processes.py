"""Control processes on all systems: groups of processes, their end, and children that must end with their parent.

This is the only module that uses process groups, signals that Windows lacks, and hooks of the Linux kernel.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TypedDict

PARENT = "REEL_PARENT_PID"  # the variable that tells a worker which process started it
EXIT_PARENT_GONE = 75  # EX_TEMPFAIL
_POSIX = os.name == "posix"
_LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if _LINUX else None
# Windows lacks most of these names. The numbers of SIGSTOP and SIGCONT differ between Linux and macOS.
_KILL, _TERMINATE = getattr(signal, "SIGKILL", 9), signal.SIGTERM
_STOP, _CONTINUE = getattr(signal, "SIGSTOP", 0), getattr(signal, "SIGCONT", 0)
_NEW_GROUP_FLAG = 0x0000_0200  # CREATE_NEW_PROCESS_GROUP


class ChildOptions(TypedDict, total=False):
    """Arguments of `subprocess.Popen` that differ between systems."""

    preexec_fn: Callable[[], None]
    start_new_session: bool
    creationflags: int


def child_options() -> ChildOptions:
    """Return the options for a program that must end with this process.

    Only Linux can guarantee that. `preexec_fn` raises on Windows, and on macOS it only makes the start slower.
    """
    return {"preexec_fn": end_with_parent} if _LINUX else {}


def group_options() -> ChildOptions:
    """Return the options for a process that leads a group of its own, so that Ctrl-C reaches only its parent."""
    return {"start_new_session": True} if _POSIX else {"creationflags": _NEW_GROUP_FLAG}


def end_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends: a killed parent has no time to end its children."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, _KILL, 0, 0, 0)


def leave_with_parent() -> None:
    """Arrange that this process ends with its parent, and end it now if the parent is gone already.

    On Windows the parent is not checked: an environment's `python.exe` is a launcher, so the parent of this process is
    the launcher. The end of standard input ends the worker there.
    """
    end_with_parent()
    expected = os.environ.get(PARENT)
    if _POSIX and expected and os.getppid() != int(expected):
        os._exit(EXIT_PARENT_GONE)


def leave_with_group() -> None:
    """End this process, and with it everything that it has started."""
    if _POSIX and os.getpgid(0) == os.getpid():
        os.killpg(0, _KILL)
    os._exit(EXIT_PARENT_GONE)


def kill_group(leader: int) -> None:
    """Kill the process `leader` and everything that it has started."""
    if _POSIX:
        _signal_group(leader, _KILL)
    else:  # `/T` takes the children along
        command = ["taskkill", "/T", "/F", "/PID", str(leader)]
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def terminate_group(leader: int) -> None:
    """Ask the process `leader` and what it has started to end. Windows has no such request: they are killed."""
    if _POSIX:
        _signal_group(leader, _TERMINATE)
    else:
        kill_group(leader)


@contextlib.contextmanager
def paused_group(leader: int) -> Iterator[None]:
    """Stop the process `leader` and what it has started while the block runs. On Windows they go on."""
    if _POSIX:
        _signal_group(leader, _STOP)
    try:
        yield
    finally:
        if _POSIX:
            _signal_group(leader, _CONTINUE)


def was_killed(status: int) -> bool:
    """Tell whether an exit status says that a process was killed by SIGKILL, which the system uses if memory runs
    out."""
    return status == -_KILL


def ending_signal(status: int) -> str | None:
    """Return the name of the signal that ended a process with this exit status; None if none did."""
    return signal.Signals(-status).name if status < 0 else None


def _signal_group(leader: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)
