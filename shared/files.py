"""Files that appear complete or not at all, and their digests."""

from __future__ import annotations

import contextlib
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
    """Give a stream whose content is flushed to the disk and renamed to `path` at the end, unless something went wrong.

    Every writer has a temporary file of its own, so that correctness needs no lock.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with open(beside, "x", encoding="utf-8") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)  # still there only when something went wrong


def can_be_a_name(text: str) -> bool:
    """Tell whether a text can be a path: it has neither a null character nor half of a surrogate pair."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def try_link(source: Path, target: Path) -> bool:
    """Give `source` the second name `target` in one step. Return False if the disk or the system has no hard links.

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
    """Return the sha256 of a file's content, as 64 hexadecimal digits; `tick` hears the size of each piece."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as stream:
        hash_stream(stream, digest, tick=tick)
    return digest.hexdigest()


def is_sound(path: Path, sha256: str) -> bool:
    """Return whether the file is there, the disk can read it, and its content has this digest."""
    try:
        return sha256_of(path) == sha256
    except OSError:
        return False
