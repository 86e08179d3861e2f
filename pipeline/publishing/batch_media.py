"""Knows the media files of a run, by any path: nothing is ever written over one of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from pipeline.publishing.names import alike


class BatchMedia:
    """Media files that a run works on. They are recognised by their paths, however those are written and through
    whichever links they lead, and by what the file system says of them, so that a hard link is the file itself.

    `awaits` tells of files that the run has not come to yet, where it waits for files in a folder.
    """

    def __init__(self, paths: Iterable[Path] = (), awaits: Callable[[Path], bool] = lambda path: False) -> None:
        self._waiting, self._awaits = list(paths), awaits
        self._paths: set[str] = set()
        self._files: set[tuple[int, int]] = set()
        self._folders: dict[Path, str] = {}
        self._lock = threading.Lock()  # files are published by threads

    def add(self, path: Path) -> None:
        """Take in one more, which came while others were worked on."""
        with self._lock:
            self._waiting.append(path)

    def __contains__(self, path: Path) -> bool:
        with self._lock:
            while self._waiting:
                self._look_at(self._waiting.pop())
            if self._key(path) in self._paths or self._awaits(path):
                return True
        try:
            status = path.stat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) in self._files

    def _look_at(self, path: Path) -> None:
        self._paths |= {self._key(path), alike(os.path.realpath(path))}
        try:
            status = path.stat()
        except OSError:  # it is not there, or not any more: its path is all that is known
            return
        self._files.add((status.st_dev, status.st_ino))

    def _key(self, path: Path) -> str:
        """Return the path with its folder's links resolved; its own name may be a link."""
        if path.parent not in self._folders:
            self._folders[path.parent] = os.path.realpath(path.parent)
        return alike(os.path.join(self._folders[path.parent], path.name))
