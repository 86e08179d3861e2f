"""Two machines on this one: network namespaces joined by a cable, each with a folder for its sockets."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.conftest import ROOT, Reel

PORT = 6379
ADDRESSES = {"10.77.0.1": ("10.77.0.1",), "10.77.0.2": ("10.77.0.2", "10.77.0.3", "10.77.0.4")}
RAY = {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0"}  # what a machine has when it starts Ray by itself


@dataclass(frozen=True)
class Machine:
    """One of them. Commands run in its namespace, on the files of this machine."""

    name: str
    address: str
    reel: Reel
    variables: Mapping[str, str]

    def command(self, *arguments: str | Path) -> list[str]:
        return ["ip", "netns", "exec", self.name, *map(str, arguments)]

    def start(self, *arguments: str | Path, extra: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command of ours."""
        return subprocess.Popen(
            self.command(sys.executable, "-P", "-m", "pipeline", *arguments),
            env=self.reel.environment({**self.variables, **(extra or {})}), cwd=self.reel.folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def __call__(
        self, *arguments: str | Path, expect: int = 0, timeout: float = 300, extra: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments, extra=extra) as process:
            out, err = process.communicate(timeout=timeout)
        assert process.returncode == expect, f"exit {process.returncode}, expected {expect}\n{out}\n{err}"
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def in_cluster(self, *arguments: str | Path, extra: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Return a module of the tests, or with a path a program, in the environment that has Ray."""
        programs = ROOT / ".venvs" / "cluster" / "bin"
        return subprocess.Popen(
            self.command(programs / arguments[0], *arguments[1:]),
            env=self.reel.environment({**self.variables, **RAY, **(extra or {})}), cwd=self.reel.folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def at(self, address: str) -> Machine:
        """Return the same machine under another of its addresses."""
        return replace(self, address=address)

    def network(self) -> str:
        """Return what a process in this namespace finds at `/proc/self/ns/net`."""
        done = subprocess.run(self.command("readlink", "/proc/self/ns/net"), capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def pids(self) -> list[int]:
        done = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=True)
        return [int(word) for word in done.stdout.split()]

    def pull_the_plug(self) -> None:
        """End every process on it at once."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def two_machines(reel: Reel) -> Iterator[tuple[Machine, Machine]]:
    """Give the machines, 10.77.0.1 and 10.77.0.2, without anything on them; whatever runs there is ended."""
    made = []
    for letter, address in zip("ab", ADDRESSES, strict=True):
        scratch = Path(f"/tmp/reel-{os.getpid()}{letter}")  # short: sockets lie below it
        scratch.mkdir()
        variables = {"TMPDIR": str(scratch), "RAY_AUTH_TOKEN_PATH": str(reel.folder / "token")}
        made.append(Machine(f"reel-{os.getpid()}{letter}", address, reel, variables))
    one, other = made
    (reel.folder / "token").write_text("0123456789abcdef" * 4, encoding="utf-8")
    try:
        for machine in made:
            _ip("netns", "add", machine.name)
            _ip("-n", machine.name, "link", "set", "lo", "up")
        _ip("link", "add", "cable", "netns", one.name, "type", "veth", "peer", "name", "cable", "netns", other.name)
        for machine in made:
            for address in ADDRESSES[machine.address]:
                _ip("-n", machine.name, "address", "add", f"{address}/24", "dev", "cable")
            _ip("-n", machine.name, "link", "set", "cable", "up")
        yield one, other
    finally:
        for machine in made:
            until = time.monotonic() + 10
            while machine.pids() and time.monotonic() < until:
                machine.pull_the_plug()
                time.sleep(0.05)
            _ip("netns", "delete", machine.name)
            shutil.rmtree(machine.variables["TMPDIR"])


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
