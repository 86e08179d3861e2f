"""An installer at work: its words go to a log, and what it says of packages that come becomes events."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline import events
from pipeline.events import Emit

# uv says so of packages that are not in its cache and take a while.
_COMES = re.compile(r"\s*Downloading (?P<package>\S+) \((?P<size>[\d.]+)(?P<unit>[KMG]?i?B)\)")
_CAME = re.compile(r"\s*Downloaded (?P<package>\S+)")
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def install(command: Sequence[str], variables: Mapping[str, str], log: Path, what: str, emit: Emit) -> bool:
    """Run uv and append what it says to `log`; whether it succeeded."""
    with (
        open(log, "a", encoding="utf-8") as kept,
        subprocess.Popen(
            command, env=variables, cwd=log.parent, text=True, encoding="utf-8", errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as installer,
    ):  # fmt: skip
        packages = Packages(what, emit)
        for line in installer.stdout or ():
            kept.write(line)
            packages.hear(line)
        return installer.wait() == 0


class Packages:
    """Which packages come, from what uv says line by line."""

    def __init__(self, what: str, emit: Emit) -> None:
        self._what, self._emit = what, emit
        self._sizes: dict[str, int] = {}
        self._begun: dict[str, float] = {}
        self._done = 0

    def hear(self, line: str) -> None:
        """Take a line in."""
        if told := _COMES.match(line):
            size = round(float(told["size"]) * _UNITS.get(told["unit"], 1))
            self._sizes[told["package"]], self._begun[told["package"]] = size, time.monotonic()
            self._emit(events.PackageStarted(self._what, told["package"], size))
        elif (told := _CAME.match(line)) and told["package"] in self._begun:
            package = told["package"]
            self._done += self._sizes[package]
            seconds = time.monotonic() - self._begun.pop(package)
            self._emit(events.FileEnded(self._what, package, True, self._sizes[package], seconds))
            self._emit(events.SetupProgress(self._what, self._done, sum(self._sizes.values())))
