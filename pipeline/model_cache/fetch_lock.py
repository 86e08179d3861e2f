"""Lock the folders of models, so that upkeep and fetches exclude each other, and mark them as reel's.

Upkeep never waits: a fetch may take an hour, and it may fetch the very files that upkeep would delete.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.base.errors import Locked, Missing

FETCH_LOCK = "fetch.lock"
MARK = ".reel"  # an empty file in each folder that reel has locked to put a model into it; a lock file may be deleted


@contextlib.contextmanager
def hold_fetch_locks(roots: Iterable[Path]) -> Iterator[None]:
    """Hold the locks of all these folders, which are created if they are missing. Raises `Locked` if a lock is taken,
    and `Missing` if a folder is read-only."""
    with contextlib.ExitStack() as held:
        for root in sorted(set(roots)):
            try:
                root.mkdir(parents=True, exist_ok=True)
                held.enter_context(FileLock(root / FETCH_LOCK).acquire(timeout=0))
                (root / MARK).touch()
            except Timeout as error:
                raise Locked(
                    "models.locked", f"another process is fetching into {root}",
                    hint="wait until it has finished, then run the same command again",
                ) from error  # fmt: skip
            except OSError as error:
                raise Missing(
                    "model.unwritable", f"{root} cannot be changed: {error.strerror}",
                    hint="run the command on a machine where the cache is writable",
                ) from error  # fmt: skip
        yield
