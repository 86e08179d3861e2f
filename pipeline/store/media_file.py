"""Identify a user's media file by its digest, and verify that the file still has it.

A key names the content that a step has read. So the file's status is read before the content, and after each step that
reads it: device, inode, size, and the times of the last change of content and inode. The content is read again only if
something differs. A program cannot set the change time of the inode (`ctime`), so a replacement with the same size and
`mtime` is noticed too, except on Windows, which does not have this time.
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

# FAT keeps times in steps of two seconds; a change within one step does not show.
_CLOCK_STEP_NS = 2_000_000_000
_TRIES = 3
_SQLITE_MAX = (1 << 63) - 1


@dataclass(frozen=True)
class Identity:
    """Identity of a file, as the system distinguishes it from other files and from its earlier versions."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    def is_renumbered(self, other: Identity) -> bool:
        """Tell whether only device and inode differ, with the same size and times. A network disk may change these
        numbers."""
        return (self.size, self.modified_ns, self.changed_ns) == (other.size, other.modified_ns, other.changed_ns)

    def is_settled(self) -> bool:
        """Tell whether every later change of the file will change its times."""
        return self.changed_ns < time.time_ns() - _CLOCK_STEP_NS


def identity_of(status: os.stat_result) -> Identity:
    """Return the identity from a file's status. SQLite holds 63 bits of a number. Some systems give 64, and a time in
    ns has more from the year 2262 on, which a broken clock or a damaged disk states."""
    device, inode = status.st_dev & _SQLITE_MAX, status.st_ino & _SQLITE_MAX
    modified_ns, changed_ns = status.st_mtime_ns & _SQLITE_MAX, status.st_ctime_ns & _SQLITE_MAX
    return Identity(device, inode, status.st_size, modified_ns, changed_ns)


class MediaFile:
    """Media file whose content has the digest. Threads may use it at the same time."""

    def __init__(self, path: Path, digest: str, identity: Identity, *, settled: bool) -> None:
        self.path, self.digest, self.identity = path, digest, identity
        self.settled = settled  # at the time of the identity, before the content was read
        self.changes = 0  # of the status but not the content; a step that spans one has to be done again
        self._lock = threading.Lock()

    def verify(self) -> int:
        """Check that the file still has its digest, and return `changes`.

        Reads the content only if the file's status differs. Raises `MediaChanged`.
        """
        with self._lock:
            try:
                return self._verify()
            except FileNotFoundError as error:
                raise MediaChanged(
                    "media.changed",
                    f"{as_text(self.path)} no longer exists: it was moved or deleted during the run",
                    hint="run reel again with the new name; existing results are reused under any name",
                ) from error
            except OSError as error:
                raise _unreadable(self.path, error.strerror or str(error)) from error

    def _verify(self) -> int:
        status = self.path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe could block forever
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
    """Return the file with the digest of its content. Raises `MediaChanged` if it changes meanwhile, and `OSError`."""
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
        f"{as_text(path)} was replaced repeatedly while it was read",
        hint="run the same command again when nothing changes the file any more",
    )


def _still_written(path: Path, before: Identity, after: Identity) -> MediaChanged:
    how = f"it had {before.size} bytes at first and {after.size} at the end"
    if before.size == after.size:
        how = f"its {after.size} bytes were overwritten"
    return MediaChanged(
        "media.changed",
        f"{as_text(path)} changed while it was read: {how}",
        hint="it is probably still being copied or downloaded: run the same command again when it is complete",
    )


def _other_content(path: Path, before: Identity, now: Identity) -> MediaChanged:
    how = f"it had {before.size} bytes and has {now.size} now"
    if before.size == now.size:
        how = f"its {now.size} bytes are different"
    return MediaChanged(
        "media.changed",
        f"{as_text(path)} was changed or replaced during the run: {how}",
        hint="none of its results was published; run the same command again when no program changes the file any more",
    )


def _unreadable(path: Path, why: str) -> MediaChanged:
    return MediaChanged(
        "media.changed",
        f"{as_text(path)} can no longer be read, so reel cannot verify what the steps have read: {why}",
        hint="run the same command again when the file is back",
    )
