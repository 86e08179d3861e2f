"""Files that appear complete or not at all, and their digests."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from io import TextIOWrapper
from pathlib import Path

from shared.copying import hash_stream


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` beside `path`, flush it to the disk and rename it into place."""
    with write_by_rename(path) as stream:
        stream.flush()
        stream.buffer.write(content)


@contextlib.contextmanager
def write_by_rename(path: Path) -> Iterator[TextIOWrapper]:
    """Yield a stream whose content is flushed to the disk and renamed to `path` at the end, unless an exception is
    raised.

    Every writer has a temporary file of its own, so no lock is needed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with open(temporary, "x", encoding="utf-8") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)  # it exists only after an exception


def read_regular(path: Path) -> bytes:
    """Return the content of a regular file. Raises `OSError` for any other: reading a pipe may wait for ever."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return path.read_bytes()


def read_once(path: Path) -> bytes:
    """Return the content of a file or a pipe that is read only once. Raises `OSError` for a pipe without a writer, on
    which reading would wait for ever."""
    if not path.is_fifo():
        return read_regular(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(descriptor, "rb", buffering=0) as pipe:
        first = pipe.read(1)  # None: a program has it open, and has written nothing yet
        if first == b"":
            raise OSError(errno.EINVAL, "it is a pipe, and no program writes to it", str(path))
        os.set_blocking(descriptor, True)
        return (first or b"") + pipe.read()


def is_valid_name(text: str) -> bool:
    """Tell whether a text can be a path: it has neither a null character nor half of a surrogate pair."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def try_link(source: Path, target: Path) -> bool:
    """Make `target` a hard link to `source`. Return False if the disk or the system has no hard links.

    Raises `FileExistsError`.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):  # another disk, exFAT, a network share, or a system without links
        return False
    return True


def sha256_of(path: Path, tick: Callable[[int], object] | None = None) -> str:
    """Return the sha256 of a file's content as 64 hexadecimal digits. `tick` is called with the size of each piece."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as stream:
        hash_stream(stream, digest, tick=tick)
    return digest.hexdigest()


def is_intact(path: Path, sha256: str) -> bool:
    """Tell whether the file exists, can be read, and its content has this digest."""
    try:
        return sha256_of(path) == sha256
    except OSError:
        return False
