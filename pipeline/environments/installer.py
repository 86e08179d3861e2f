"""Run the installer of packages: its output goes to a log, and its lines about downloads become events."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.base import events
from pipeline.base.events import Emit

# uv prints these lines for large packages that are not in its cache.
_DOWNLOADING = re.compile(r"\s*Downloading (?P<package>\S+) \((?P<size>[\d.]+)(?P<unit>[KMG]?i?B)\)")
_DOWNLOADED = re.compile(r"\s*Downloaded (?P<package>\S+)")
# uv reports a failure as an error, its cause, the cause of that, and so on, with hints.
_ERROR = re.compile(r"^(?:error:| *×)", re.MULTILINE)
_CAUSE = re.compile(r"^ *(?:cause:|Caused by:|[╰├]─▶)", re.MULTILINE)
_HINT = re.compile(r"^[ │]*hint:", re.MULTILINE)
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def install(command: Sequence[str], variables: Mapping[str, str], log: Path, what: str, emit: Emit) -> bool:
    """Run uv, append its output to `log`, and return whether it succeeded."""
    with (
        open(log, "a", encoding="utf-8") as kept,
        subprocess.Popen(
            command, env=variables, cwd=log.parent, text=True, encoding="utf-8", errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as installer,
    ):  # fmt: skip
        downloads = _DownloadTracker(what, emit)
        try:
            for line in installer.stdout or ():
                kept.write(line)
                downloads.read_line(line)
            return installer.wait() == 0
        finally:
            installer.kill()  # it may still run: an interrupt may have reached this process alone


def reason_in(log: Path) -> str:
    """Return the error in an installer's log with its root cause, without the hints, which are for people who call uv
    themselves."""
    before, *errors = _ERROR.split(log.read_text(errors="replace", encoding="utf-8"))
    if errors:
        what, *causes = _CAUSE.split(_HINT.split(errors[-1], maxsplit=1)[0])
        parts = [_paragraph(what).removesuffix(":"), *map(_paragraph, causes[-1:])]
    else:
        parts = before.strip().splitlines()[-1:]
    return ": ".join(part for part in parts if part) or "the installer gave no reason"


def _paragraph(text: str) -> str:
    """Return the first error, on one line."""
    lines = text.strip().partition("\n\n")[0].splitlines()
    return " ".join(line.strip(" │") for line in lines)


class _DownloadTracker:
    """Reads uv's output line by line, and reports the packages that it downloads."""

    def __init__(self, what: str, emit: Emit) -> None:
        self._what, self._emit = what, emit
        self._sizes: dict[str, int] = {}
        self._begun: dict[str, float] = {}
        self._done = 0

    def read_line(self, line: str) -> None:
        """Read a line, and emit the events for it."""
        if match := _DOWNLOADING.match(line):
            size = round(float(match["size"]) * _UNITS.get(match["unit"], 1))
            self._sizes[match["package"]], self._begun[match["package"]] = size, time.monotonic()
            self._emit(events.PackageStarted(self._what, match["package"], size))
        elif (match := _DOWNLOADED.match(line)) and match["package"] in self._begun:
            package = match["package"]
            self._done += self._sizes[package]
            seconds = time.monotonic() - self._begun.pop(package)
            self._emit(events.FileEnded(self._what, package, True, self._sizes[package], seconds))
            self._emit(events.SetupProgress(self._what, self._done, sum(self._sizes.values())))
