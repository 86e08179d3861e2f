"""Watches folders: yields each media file once it is complete, and again when its content has changed.

The folders are polled. Notifications of the kernel are not used: they miss files that another machine writes to a
network disk, and do not tell when a file is complete. Two looks at a file show both.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pipeline.engine.folder_walk import FolderWalk, describe_skipped
from pipeline.engine.media_list import Request
from shared.containers import MEDIA_SUFFIXES

LOOK_EVERY_S = 1.0
_LEAST_REST = 20  # times the duration of a look, so that a slow disk with many files is read less often


class Version(NamedTuple):
    """Size and time of a file, which change with its content. The inode is left out, because some network disks change
    it at any time."""

    size: int
    modified_ns: int


@dataclass
class _Sighting:
    """Version of a file, and the time since which it has not changed."""

    version: Version
    since: float


class Watch:
    """Asynchronous iterator of requests that ends after `stop`. `notice` receives a text about the files that the first
    look skips, and texts about a folder that cannot be read, or can be read again."""

    def __init__(
        self, folders: Sequence[Path], settle_s: float, walk: FolderWalk, notice: Callable[[str], None]
    ) -> None:
        # Names as text: creating a `Path` for each of ten thousand files would take most of the time of a look.
        self._folders, self._walk = [str(folder) for folder in folders], walk
        self._settle_s, self._notice = settle_s, notice
        self._has_looked = False
        self._settling: dict[str, _Sighting] = {}
        self._yielded: dict[str, Version] = {}  # kept when a file disappears: its disk may be absent for a while
        self._unreadable: set[str] = set()  # folders
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Stop yielding requests."""
        self._stopped.set()

    def awaits(self, path: Path) -> bool:
        """Tell whether a file was or may later be yielded: a media file in one of the folders, unless reel has
        published it there."""
        if path.suffix.lower() not in MEDIA_SUFFIXES or not os.path.lexists(path):
            return False
        return any(path.is_relative_to(folder) for folder in self._folders) and not self._walk.is_published(path)

    async def __aiter__(self) -> AsyncIterator[Request]:
        """Yield each file once it is complete; the files of one look in the order of their names."""
        while not self._stopped.is_set():
            began = time.monotonic()
            found = await asyncio.to_thread(self.look, began)
            rest_s = max(LOOK_EVERY_S, _LEAST_REST * (time.monotonic() - began))
            for path in found:
                if self._stopped.is_set():
                    return
                yield Request(path)
            try:
                async with asyncio.timeout(rest_s):
                    await self._stopped.wait()
            except TimeoutError:
                pass

    def look(self, now: float) -> list[Path]:
        """Return the files that are complete now: those with a version that was not yielded yet and has not changed for
        the settling time."""
        self._walk.passed.clear()
        seen = {path: version for folder in self._folders for path, version in self._versions(folder)}
        if not self._has_looked and (passed := describe_skipped(self._walk.passed)):
            self._notice(passed)
        self._has_looked = True
        for gone in self._settling.keys() - seen.keys():
            del self._settling[gone]
        complete = []
        for path, version in seen.items():
            if self._yielded.get(path) == version:
                self._settling.pop(path, None)
                continue
            sighting = self._settling.get(path)
            if sighting is None or sighting.version != version:
                self._settling[path] = _Sighting(version, now)
            elif now - sighting.since >= self._settle_s and version.size:
                self._yielded[path] = version
                del self._settling[path]
                complete.append(Path(path))
        return complete

    def _versions(self, folder: str) -> Iterator[tuple[str, Version]]:
        try:
            for entry in self._walk.media(folder):
                if version := _version(entry):
                    yield entry.path, version
        except OSError as error:
            if folder not in self._unreadable:
                self._unreadable.add(folder)
                self._notice(f"{folder} cannot be read at the moment: {error.strerror or error}")
            return
        if folder in self._unreadable:
            self._unreadable.discard(folder)
            self._notice(f"{folder} can be read again")


def _version(entry: os.DirEntry[str]) -> Version | None:
    try:
        status = entry.stat()
    except OSError:  # deleted between the two calls
        return None
    return Version(status.st_size, status.st_mtime_ns)
