"""The one loop that reads a stream to its end, hashes what passes, and writes it on."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

_PIECE_BYTES = 1 << 18  # fits into the cache of a core, beside what others read
_CLONE_FILE = 0x40049409  # FICLONE of linux/fs.h


class Readable(Protocol):
    """A stream of bytes: a file, a member of an archive, an answer over HTTP."""

    def read(self, size: int = -1, /) -> bytes: ...


class Digest(Protocol):
    """A hash that is being taken."""

    def update(self, data: bytes, /) -> None: ...


def hash_stream(
    source: Readable, digest: Digest, target: IO[bytes] | None = None, tick: Callable[[int], object] | None = None
) -> int:
    """Read `source` to its end into `digest`, write it to `target`, and return the number of bytes.

    `tick` is called with the size of each piece.
    """
    total = 0
    while piece := source.read(_PIECE_BYTES):
        digest.update(piece)
        if target is not None:
            _write_all(target, piece)
        total += len(piece)
        if tick is not None:
            tick(len(piece))
    return total


def copy_verified(source: Path, target: Path) -> str:
    """Copy `source` to the new file `target`, flush it to the disk and return the sha256 of what `target` holds.

    Where the file system can, the copy shares the blocks of `source` until one of the two is written to; it never
    shares the file itself. Raises `FileExistsError` when `target` is there, and then changes nothing.
    """
    with open(source, "rb", buffering=0) as reading, open(target, "x+b", buffering=0) as writing:
        digest = hashlib.sha256()
        if _share_blocks(reading, writing):
            hash_stream(writing, digest)
        else:
            hash_stream(reading, digest, writing)
        os.fsync(writing.fileno())
    return digest.hexdigest()


def _write_all(stream: IO[bytes], content: bytes) -> None:
    """Write all of it: a raw stream may take less at once."""
    left = memoryview(content)
    while left:
        left = left[stream.write(left) :]


def _share_blocks(source: IO[bytes], target: IO[bytes]) -> bool:
    """Give the empty file `target` the blocks of `source`; False where the system or the disk cannot."""
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.ioctl(target.fileno(), _CLONE_FILE, source.fileno())
    except OSError:
        return False
    return True
