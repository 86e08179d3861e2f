"""Lock a result store: one process holds the lock at a time, and others may wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.base.errors import Locked
from pipeline.base.wait_limit import FOREVER, wait_limit_s
from shared.text.timecode import span

# A process that has waited longer tries more often, so that processes mostly get the lock in the order of their
# arrival, even if one of them takes it every few seconds.
_FIRST_INTERVAL_S, _LAST_INTERVAL_S, _LAST_AFTER_S = 1.0, 0.1, 60.0


@dataclass(frozen=True)
class Waiting:
    """Time limit for waiting for the store. `tell` receives a text about the process that holds it."""

    limit_s: float = 0.0
    tell: Callable[[str], None] = lambda text: None

    @classmethod
    def of(cls, setting: str, tell: Callable[[str], None]) -> Waiting:
        """Return the limit that the setting `wait` states."""
        return cls(wait_limit_s(setting), tell)


NOT_AT_ALL = Waiting()


def take_lock(file: Path, waiting: Waiting, owner: Callable[[], str]) -> FileLock:
    """Take the lock, waiting for it if need be.

    Raises `Locked` if it is not free in time. `owner` returns a description of the process that holds it.
    """
    lock = FileLock(file, timeout=0)
    if _try_acquire(lock):
        return lock
    if waiting.limit_s > 0:
        waiting.tell(f"waiting for the result store: another process is using it: {owner()}")
    began = time.monotonic()
    while (left_s := waiting.limit_s - (waited_s := time.monotonic() - began)) > 0:
        time.sleep(min(_interval_s(waited_s), left_s))
        if _try_acquire(lock):
            return lock
    if waiting.limit_s > 0:
        raise Locked(
            "results.locked", f"after {span(waiting.limit_s)} another process still uses the result store: {owner()}",
            hint=f"wait longer (`--wait {FOREVER}` has no limit), or end that process",
        )  # fmt: skip
    raise Locked(
        "results.locked", f"another process is using the result store: {owner()}",
        hint="`--wait` waits until it has finished, `--wait 10m` for at most ten minutes; or end that process",
    )  # fmt: skip


def _try_acquire(lock: FileLock) -> bool:
    try:
        lock.acquire()
    except Timeout:
        return False
    return True


def _interval_s(waited_s: float) -> float:
    return max(_LAST_INTERVAL_S, _FIRST_INTERVAL_S * (1 - waited_s / _LAST_AFTER_S))
