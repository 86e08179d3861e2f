"""The lock of a result store: one process holds it at a time, and others may wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.base.errors import Locked
from pipeline.base.wait_limit import FOREVER
from shared.text.timecode import span

# Who has waited longer looks more often, so that the first to come is mostly the first to get its turn, also beside
# one that comes every few seconds.
_FIRST_LOOK_S, _LAST_LOOK_S, _EAGER_AFTER_S = 1.0, 0.1, 60.0


@dataclass(frozen=True)
class Waiting:
    """How long a command waits for the store, and who hears what it waits for."""

    limit_s: float = 0.0
    tell: Callable[[str], None] = lambda text: None


NOT_AT_ALL = Waiting()


def take_lock(file: Path, waiting: Waiting, owner: Callable[[], str]) -> FileLock:
    """Take the lock, and wait for it if need be. Raises `Locked` where it is not to be had in time; `owner` says who
    has it."""
    lock = FileLock(file, timeout=0)
    if _taken(lock):
        return lock
    if waiting.limit_s > 0:
        waiting.tell(f"waiting for the result store: another process is at work here: {owner()}")
    began = time.monotonic()
    while (left_s := waiting.limit_s - (waited_s := time.monotonic() - began)) > 0:
        time.sleep(min(_look_after_s(waited_s), left_s))
        if _taken(lock):
            return lock
    if waiting.limit_s > 0:
        raise Locked(
            "results.locked", f"after {span(waiting.limit_s)} another process is still at work here: {owner()}",
            hint=f"wait longer, with `--wait {FOREVER}` for as long as it takes, or end it",
        )  # fmt: skip
    raise Locked(
        "results.locked", f"another process is at work here: {owner()}",
        hint="`--wait` waits until it has finished, `--wait 10m` no longer than that; or end it",
    )  # fmt: skip


def _taken(lock: FileLock) -> bool:
    try:
        lock.acquire()
    except Timeout:
        return False
    return True


def _look_after_s(waited_s: float) -> float:
    return max(_LAST_LOOK_S, _FIRST_LOOK_S * (1 - waited_s / _EAGER_AFTER_S))
