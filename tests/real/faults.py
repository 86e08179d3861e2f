"""A backend's process fails in the middle of its work: it is killed, it hangs, or it has too little memory.

The job is given pipes in the place of its files. Nobody writes into them, so it begins, reads, and neither ends nor
fails by itself: what happens to it then is what the test wants, whatever the machine does meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from pipeline.base.errors import ReelError, StepFailed
from pipeline.workers import process as worker
from tests.processes import children, descendants, gone
from tests.real.cases import HERE, Case, Material

if TYPE_CHECKING:
    from tests.real.conftest import Stages

_LOOK_EVERY_S = 0.01
_LIMIT_S, _HANGS_S, _GRACE_S = 120.0, 0.5, 0.2


class Fault(StrEnum):
    """Fault of the process; its value is the code of the error that reports it."""

    KILLED = "worker.killed"
    HANGING = "worker.timed-out"
    STARVED = "worker.memory"  # in a set of workers with a memory limit that the backend cannot keep to


@dataclass(frozen=True)
class Failed:
    """Observations of a fault. `left` are the processes of the worker that outlived it."""

    fault: Fault
    error: ReelError
    left: tuple[int, ...]


def _shared_out() -> Iterator[tuple[Case, Fault, bool]]:
    """Yield each case with the fault that it is put to, and whether a worker has to be started for that. The workers
    that witness a backend end by one fault each, in turns; those of a family with one backend are not enough for two.
    """
    cases = [case for case in HERE if case.stage != "demux"]  # which looks at its file before it opens it
    with_models_first = sorted(cases, key=lambda case: (_family(case), not case.declared.models))
    for _, group in groupby(with_models_first, _family):
        family, turns = tuple(group), (Fault.HANGING, Fault.KILLED)
        for number, case in enumerate(family):
            yield case, turns[number % 2], False
        for fault in (*turns[len(family) :], Fault.STARVED):
            yield family[0], fault, True


def _family(case: Case) -> str:
    return case.declared.environment


_SHARED_OUT = tuple(_shared_out())
WITNESSED: Mapping[Case, Fault] = {case: fault for case, fault, start in _SHARED_OUT if not start}
STARTED = tuple((case, fault) for case, fault, start in _SHARED_OUT if start)


def fail(case: Case, fault: Fault, stages: Stages, made: Material, others: Sequence[int], folder: Path) -> Failed:
    """Put a worker of `stages` to the case's job and to the fault. `others` are processes that have no part in it."""
    inputs, _ = case.job(made)
    files = [file for given in inputs.values() for file in ([given] if isinstance(given, Path) else given)]
    pipes = {file: folder / f"{number}-{file.name}" for number, file in enumerate(dict.fromkeys(files))}
    for pipe in pipes.values():
        os.mkfifo(pipe)
    with _Watch(tuple(pipes.values()), fault, others) as watch, contextlib.ExitStack() as changed:
        changed.enter_context(mock.patch.object(stages, "instead", pipes))
        changed.enter_context(mock.patch.object(stages, "limit_s", _HANGS_S if fault is Fault.HANGING else _LIMIT_S))
        changed.enter_context(mock.patch.object(worker, "_CANCEL_GRACE_S", _GRACE_S))
        try:
            case.run(stages, made)
        except StepFailed as error:
            told = error
        else:
            raise AssertionError("it came to an end without anything to read")
    return Failed(fault, told, tuple(pid for pid in watch.seen if not gone([pid])))


class _Watch:
    """Notes the processes of the job, and waits until it reads; a worker that is to be killed then is."""

    def __init__(self, pipes: Sequence[Path], fault: Fault, others: Sequence[int]) -> None:
        self._pipes, self._fault, self._others = pipes, fault, set(others)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.seen: set[int] = set()

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        held: list[int] = []
        while not self._over.wait(_LOOK_EVERY_S):
            workers = set(children(os.getpid())) - self._others
            self.seen |= workers | {pid for one in workers for pid in descendants(one)}
            if not held and (held := self._reader()) and self._fault is Fault.KILLED:
                for pid in workers:
                    os.kill(pid, signal.SIGKILL)
        for pipe in held:
            os.close(pipe)

    def _reader(self) -> list[int]:
        """Return the pipe that a test reads, held open: its reader now waits for what is never written."""
        for pipe in self._pipes:
            with contextlib.suppress(OSError):  # nobody has opened it yet
                return [os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)]
        return []
