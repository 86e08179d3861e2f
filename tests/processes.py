"""Processes under test: whose children they are, whether they are gone, and what killing them at any time leaves."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.conftest import Reel


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that are there."""
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]
    return []


def hears(stream: IO[str] | None, text: str) -> None:
    """Read a process's lines up to one that holds the text."""
    assert stream
    lines = []
    for line in stream:
        lines.append(line)
        if text in line:
            return
    raise AssertionError(f"it never said {text!r}:\n{''.join(lines)}")


def descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that they have."""
    return [one for child in children(pid) for one in (child, *descendants(child))]


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and waits for its parent does not."""
    with contextlib.suppress(OSError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return False


def gone(pids: Sequence[int]) -> bool:
    """Tell whether all of them are gone within five seconds."""
    until = time.monotonic() + 5
    while any(alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(alive(pid) for pid in pids)


def survives_kills(reel: Reel, arguments: Sequence[str | Path], extra: Mapping[str, str], *, kills: int) -> None:
    """Run a job, and then again with the orchestrator or one of its workers killed many times. The published bytes and
    the history must be those of the undisturbed run, and no process may outlive the orchestrator."""
    began = time.monotonic()
    with reel.start("run", *arguments, extra=extra) as process:
        _, err = process.communicate()
    assert process.returncode == 0, err
    whole_s = time.monotonic() - began
    expected = contents(reel.out)
    shutil.rmtree(reel.results)
    shutil.rmtree(reel.out)
    chance = random.Random(11)
    for _ in range(kills):
        with reel.start("run", *arguments, extra=extra) as process:
            time.sleep(chance.uniform(0, whole_s))
            workers = descendants(process.pid)
            if workers and chance.random() < 0.5:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice(workers), signal.SIGKILL)
                time.sleep(chance.uniform(0, whole_s / 3))
                workers += descendants(process.pid)
            process.kill()
            process.communicate()
        assert gone(workers), "a worker outlived the orchestrator"
        if chance.random() < 0.3:  # so that there is something left to be done
            for folder in (reel.results / "manifests", reel.out):
                shutil.rmtree(folder, ignore_errors=True)
    reel("run", *arguments, extra=extra)
    assert contents(reel.out) == expected  # without a partial file
    shown = json.loads(reel("runs", "show", "--json", extra=extra).stdout)["data"]
    assert {step["state"] for step in shown["steps"]} <= {"done", "reused"}
    assert not list(reel.results.glob("staging/*"))
    kept = {path.stem for path in (reel.results / "manifests").rglob("*.json")}
    assert {step["key"] for step in shown["steps"]} <= kept, "a step of the history has lost its result"
