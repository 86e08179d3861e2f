"""Build the core environment, in which the orchestrator runs.

The wrapper `reel` runs this module before any of our dependencies exist, so it uses the standard library only, and so
does the one module of ours that it imports. The machine's own pip installs the committed lock by its hashes. The
environment is made without pip, because some systems ship Python without `ensurepip`; the lock has one.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from pipeline.environments.package_index import certificate_hint, failure_reason, index_environment, pip_command

EXIT_MISSING = 5
_MACHINES = {"linux": ("x86_64", "aarch64"), "darwin": ("arm64",), "win32": ("AMD64",)}  # as the locks have them
_OLDEST_MACOS = 14  # of the packages av and onnxruntime
_ROSETTA = (
    "on a Mac with Apple silicon, this Python runs under Rosetta: install one for arm64, and name it: "
    "REEL_PYTHON=/opt/homebrew/bin/python3 ./reel doctor"
)


@dataclass(frozen=True)
class Machine:
    """The machine as this Python sees it, which under emulation is the emulated one."""

    system: str
    machine: str
    is_64_bit: bool
    macos: str  # its version, such as `14.5`; empty elsewhere


def this_machine() -> Machine:
    """Return the machine that this Python runs on."""
    return Machine(sys.platform, platform.machine(), sys.maxsize > 2**32, platform.mac_ver()[0])


def unsupported(machine: Machine) -> tuple[str, str] | None:
    """Return the error and the hint for a machine that the locks have no packages for; None if they have.

    On such a machine pip would install nothing and report success, because every requirement is for another one.
    """
    supported = "Linux (x86_64, aarch64), macOS 14 or newer (arm64) and Windows (AMD64)"
    if machine.machine not in _MACHINES.get(machine.system, ()):
        found = f"{machine.system} on {machine.machine or 'an unknown processor'}"
        hint = _ROSETTA if (machine.system, machine.machine) == ("darwin", "x86_64") else "use one of these machines"
    elif not machine.is_64_bit:
        found, hint = "32-bit", "install a 64-bit Python, and name it: REEL_PYTHON=/path/to/python3 ./reel doctor"
    elif machine.system == "darwin" and int(machine.macos.partition(".")[0] or 0) < _OLDEST_MACOS:
        found, hint = f"for macOS {machine.macos or 'of unknown version'}", "update macOS, or use another machine"
    else:
        return None
    return f"reel's packages exist for {supported}; this Python is {found} [core.platform]", hint


def main(root: Path) -> int:
    """Build `.venvs/core` below `root`; returns the exit code."""
    core, lock = root / ".venvs" / "core", root / "config" / "environments" / "core.lock"
    if refusal := unsupported(this_machine()):
        return _fail(*refusal)
    marker = core / "reel-core.lock"
    python = core / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if (target := _out_of_reach(python)) is not None:
        return _fail(
            f"the core environment was made with {target}, which your account may not run [core.python]",
            "take a clone of your own; or let the owner of this one delete .venvs/core and run `./reel doctor` with a "
            "Python that all may run, REEL_PYTHON=/usr/bin/python3",
        )
    try:
        core.parent.mkdir(parents=True, exist_ok=True)
        guard = open(core.parent / "core.lock", "w", encoding="utf-8")  # noqa: SIM115 - closed below
    except OSError as error:
        return _unwritable(core.parent, error)
    with guard:
        _wait_for(guard)  # two first uses at once build one environment
        try:
            if marker.exists() and marker.read_bytes() == lock.read_bytes() and python.exists():
                return 0
            print("setting up reel: the core environment", file=sys.stderr, flush=True)
            shutil.rmtree(core, ignore_errors=True)
            if why := _build(root, core, python, lock):
                hint = (
                    certificate_hint(why, "./reel doctor")
                    or "`python3 -m pip --version` must work and reach a package index"
                )
                return _fail(f"the core environment could not be made: {why} [core.build]", hint)
            shutil.copyfile(lock, marker)  # last: without it the environment counts as not built
        except OSError as error:
            return _unwritable(core.parent, error)
    return 0


def _build(root: Path, core: Path, python: Path, lock: Path) -> str:
    """Make the environment and install the lock. Return why that failed, or an empty text."""
    # The interpreter itself, not a link to it: `python3` may be another version tomorrow, and the environment would
    # then find none of its packages. An interpreter that is gone is noticed, and the environment is built again.
    interpreter = os.path.realpath(sys.executable)
    install = pip_command(
        sys.executable, "--python", str(python), "install", "--require-hashes", "--no-deps",
        "--only-binary=:all:", "--disable-pip-version-check", "--no-input", "--requirement", str(lock),
    )  # fmt: skip
    environ = index_environment(root / ".cache", os.environ, sys.executable)
    for command in ([interpreter, "-I", "-m", "venv", "--without-pip", str(core)], install):
        done = subprocess.run(
            command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace"
        )
        if done.returncode:
            return failure_reason(done.stdout + done.stderr)
    return ""


def _out_of_reach(python: Path) -> str | None:
    """Return the interpreter of an existing environment if this account may not reach or run it, else None."""
    if not python.is_symlink():
        return None
    target = os.path.realpath(python)
    try:
        python.stat()
    except FileNotFoundError:
        return None
    except OSError:
        return target
    return None if os.access(python, os.X_OK) else target


def _unwritable(folder: Path, error: OSError) -> int:
    return _fail(
        f"the core environment is not set up, and {folder} cannot be written: {error.strerror or error} "
        "[core.unwritable]",
        "let the owner of this checkout run `./reel doctor` once, after which all can use it; or take a clone of "
        "your own",
    )


def _fail(message: str, hint: str) -> int:
    print(f"error: {message}\n\nhint: {hint}", file=sys.stderr)
    return EXIT_MISSING


def _wait_for(guard: TextIO) -> None:
    """Wait for the lock of the file, and hold it until this process ends."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(guard, fcntl.LOCK_EX)
        return
    import msvcrt

    while True:
        try:
            msvcrt.locking(guard.fileno(), msvcrt.LK_NBLCK, 1)
            return
        except OSError:  # another process has it
            time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
