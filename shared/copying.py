"""Read a stream to its end while hashing it and writing it to another one."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

_PIECE_BYTES = 1 << 18  # a part of the cache of a core
_CLONE_FILE = 0x40049409  # FICLONE of linux/fs.h


class Readable(Protocol):
    """A stream of bytes: a file, a member of an archive, an HTTP response."""

    def read(self, size: int = -1, /) -> bytes: ...


class Digest(Protocol):
    """A hash that is being computed."""

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

    If the file system can, the copy shares the blocks of `source` until one of the two is written to. Raises
    `FileExistsError` if `target` exists, and then changes nothing.
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
    """Write the complete content. A raw stream may write a part of it at once."""
    left = memoryview(content)
    while left:
        left = left[stream.write(left) :]


def _share_blocks(source: IO[bytes], target: IO[bytes]) -> bool:
    """Let the empty file `target` share the blocks of `source`. Return False if the system or the disk cannot."""
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.ioctl(target.fileno(), _CLONE_FILE, source.fileno())
    except OSError:
        return False
    return True
