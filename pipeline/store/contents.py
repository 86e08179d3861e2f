"""Store the contents of results: files named by the sha256 of their bytes, which never change."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path

from pipeline.store.place import is_digest
from shared.files import is_intact

_WINDOWS = os.name == "nt"


class Contents:
    """Contents below one folder. Threads may add contents while others remove some."""

    def __init__(self, folder: Path) -> None:
        # As text: joining `Path` objects takes a tenth of the time of a plan for many files.
        self._folder = str(folder)
        self._bytes: int | None = None  # of all contents, counted on first use
        self._fresh: set[str] = set()
        self._placing = threading.Lock()  # held while a content is added or removed

    def path(self, sha256: str) -> Path:
        """Return the path of the content with this digest."""
        return Path(f"{self._folder}/{sha256[:2]}/{sha256}")

    def verify(self, sha256: str) -> bool:
        """Tell whether the content exists and has its digest. A damaged content is removed, so that the results with it
        are made again."""
        place = self.path(sha256)
        with contextlib.suppress(FileNotFoundError):
            read = place.stat().st_ino
            if is_intact(place, sha256):
                return True
            with self._placing:
                if place.stat().st_ino == read:  # otherwise another item has just stored the content again
                    self._unlink(place)
        return False

    def take_in(self, path: Path) -> tuple[str, int]:
        """Move a file into the store, and return its digest and size. Its content is on the disk when this returns."""
        _flush(path)
        with open(path, "rb") as stream:
            size, digest = os.fstat(stream.fileno()).st_size, hashlib.file_digest(stream, "sha256").hexdigest()
        target = self.path(digest)
        if not _WINDOWS:  # Windows neither replaces nor removes a read-only file
            path.chmod(0o444)  # contents never change; this stops a program that tries to change one
        with self._placing:
            self._fresh.add(digest)
            if self._bytes is not None and not target.exists():
                self._bytes += size
            try:
                os.replace(path, target)
            except FileNotFoundError:  # the first content in its folder
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)
            except PermissionError:  # on Windows, while a worker reads the content that is there
                if not is_intact(target, digest):
                    raise
                path.unlink()
        flush_folder(target.parent)
        return digest, size

    @property
    def fresh(self) -> frozenset[str]:
        """Return the digests of contents whose results are not noted yet."""
        with self._placing:
            return frozenset(self._fresh)

    def noted(self, digests: Iterable[str]) -> None:
        """Record that the result with these contents is noted."""
        with self._placing:
            self._fresh.difference_update(digests)

    def remove(self, sha256: str) -> None:
        """Remove a content, unless a result that uses it is being written."""
        with self._placing:
            if sha256 not in self._fresh:
                self._unlink(self.path(sha256))

    @property
    def bytes(self) -> int:
        """Return the size of all contents. It is counted once, and then kept up to date by this process, the one
        writer."""
        if self._bytes is None:
            self._bytes = sum(self.sizes().values())
        return self._bytes

    def sizes(self) -> dict[str, int]:
        """Return the size of every content by its digest."""
        found = {}
        for folder in sorted(Path(self._folder).glob("*")):
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                found.update({entry.name: entry.stat().st_size for entry in entries if is_digest(entry.name)})
        return found

    def places(self) -> list[Path]:
        """Return the path of every content."""
        return sorted(path for path in Path(self._folder).glob("*/*") if is_digest(path.name))

    def _unlink(self, place: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            size = place.stat().st_size
            place.unlink()
            if self._bytes is not None:
                self._bytes -= size


def _flush(path: Path) -> None:
    """Flush a file to the disk. Windows does that only for a file that is open for writing."""
    descriptor = os.open(path, os.O_RDWR if _WINDOWS else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk."""
    if not _WINDOWS:
        _flush(folder)
