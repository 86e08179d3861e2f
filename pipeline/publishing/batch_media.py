"""Recognises the media files of a run by any path, because reel must never overwrite one of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from pipeline.publishing.names import alike


class BatchMedia:
    """Media files that a run works on.

    They are recognised by their paths, in any spelling and through any links, and by device and inode, so that a hard
    link counts as the file itself. `awaits` tells whether a path may become a media file of the run later, if the run
    watches folders.
    """

    def __init__(self, paths: Iterable[Path] = (), awaits: Callable[[Path], bool] = lambda path: False) -> None:
        self._waiting, self._awaits = list(paths), awaits
        self._paths: set[str] = set()
        self._files: set[tuple[int, int]] = set()
        self._folders: dict[Path, str] = {}
        self._lock = threading.Lock()  # files are published by threads

    def add(self, path: Path) -> None:
        """Add a file that arrived during the run."""
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
        except OSError:  # the file is missing or gone: only its path is known
            return
        self._files.add((status.st_dev, status.st_ino))

    def _key(self, path: Path) -> str:
        """Return the path with the links of its folder resolved, but not its own."""
        if path.parent not in self._folders:
            self._folders[path.parent] = os.path.realpath(path.parent)
        return alike(os.path.join(self._folders[path.parent], path.name))
