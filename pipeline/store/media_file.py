"""A user's media file: its digest, and the proof that the file still has it.

A key says which content a step has read. The system is asked before the content is read and after each step that
reads it: device, inode, size, and the times of the last change of content and of inode. The last of them (`ctime`)
cannot be set by a program, so that a swap which keeps size and `mtime` shows too. Only where something differs, the
content is read again. On Windows the system keeps no such time, and a swap that keeps both passes unseen.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from pipeline.base.display_paths import as_text
from pipeline.base.errors import MediaChanged

# FAT keeps times in steps of two seconds; a change within such a step leaves no trace in them.
_CLOCK_STEP_NS = 2_000_000_000
_TRIES = 3
_SQLITE_MAX = (1 << 63) - 1


@dataclass(frozen=True)
class Identity:
    """A file as the system tells it apart from others, and from itself after a change."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    def is_renumbered(self, other: Identity) -> bool:
        """Compare two looks at a file: the content and its times are the same, only the numbers are others. A network
        disk may give new ones at any time."""
        return (self.size, self.modified_ns, self.changed_ns) == (other.size, other.modified_ns, other.changed_ns)

    def is_settled(self) -> bool:
        """Whether every later change of the file gives it another time."""
        return self.changed_ns < time.time_ns() - _CLOCK_STEP_NS


def identity_of(status: os.stat_result) -> Identity:
    """The identity, from what the system says of a file. SQLite holds 63 bits of a number, some systems give 64."""
    device, inode = status.st_dev & _SQLITE_MAX, status.st_ino & _SQLITE_MAX
    return Identity(device, inode, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class MediaFile:
    """A media file whose content has the digest. Threads may ask at the same time."""

    def __init__(self, path: Path, digest: str, identity: Identity, *, settled: bool) -> None:
        self.path, self.digest, self.identity = path, digest, identity
        self.settled = settled  # when the identity was taken, before the content was read
        self.changes = 0  # that left the content as it was; a step that spans one has to be done again
        self._lock = threading.Lock()

    def prove(self) -> int:
        """Check that the file still has its digest, and return `changes`. Reads the content only where the system
        says that something is different. Raises `MediaChanged`."""
        with self._lock:
            try:
                return self._prove()
            except FileNotFoundError as error:
                raise MediaChanged(
                    "media.changed",
                    f"{as_text(self.path)} is no longer there: it was moved or deleted while it was worked on",
                    hint="run it again under its new name; what was made of it before is reused, whatever the name",
                ) from error
            except OSError as error:
                raise _unreadable(self.path, error.strerror or str(error)) from error

    def _prove(self) -> int:
        status = self.path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for, without an end
            raise _unreadable(self.path, "it is not a file any more")
        if identity_of(status) == self.identity and self.settled:
            return self.changes
        again = read_media(self.path)
        if again.digest != self.digest:
            raise _other_content(self.path, self.identity, again.identity)
        if not again.identity.is_renumbered(self.identity):
            self.changes += 1
        self.identity, self.settled = again.identity, again.settled
        return self.changes


def read_media(path: Path) -> MediaFile:
    """The file with the digest of its content. Raises `MediaChanged` where it does not keep still, and `OSError`."""
    for _ in range(_TRIES):
        before = identity_of(path.stat())
        settled = before.is_settled()
        with open(path, "rb", buffering=0) as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            length = stream.tell()
        after = identity_of(path.stat())
        if after == before and length == before.size:
            return MediaFile(path, digest, before, settled=settled)
        if (after.device, after.inode) == (before.device, before.inode) and after.modified_ns != before.modified_ns:
            raise _still_written(path, before, after)
    raise MediaChanged(
        "media.changed",
        f"{as_text(path)} was replaced again and again while it was read",
        hint="run the same command again when nothing changes the file any more",
    )


def _still_written(path: Path, before: Identity, after: Identity) -> MediaChanged:
    sizes = f"it had {before.size} bytes at first and {after.size} at the end"
    same = f"other content was written into its {after.size} bytes"
    return MediaChanged(
        "media.changed",
        f"{as_text(path)} changed while it was read: {same if before.size == after.size else sizes}",
        hint="it is still being copied or downloaded, it seems: run the same command again when it is complete",
    )


def _other_content(path: Path, before: Identity, now: Identity) -> MediaChanged:
    sizes = f"it had {before.size} bytes and has {now.size} now"
    same = f"its {now.size} bytes are others"
    return MediaChanged(
        "media.changed",
        f"{as_text(path)} was changed or replaced while it was worked on: {same if before.size == now.size else sizes}",
        hint="nothing of it was published; run the same command again when nothing changes the file any more",
    )


def _unreadable(path: Path, why: str) -> MediaChanged:
    return MediaChanged(
        "media.changed",
        f"{as_text(path)} can no longer be read, so nothing proves what the steps have read: {why}",
        hint="run the same command again when the file is back",
    )
