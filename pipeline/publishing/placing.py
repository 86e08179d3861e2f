"""Writes files into folders of the user: completely or not at all, and never over a file that appeared meanwhile."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

from shared.copying import copy_verified
from shared.files import try_link

# The name identifies the process. It is short, so that it fits on the disk whatever the final name is.
_TEMPORARY = re.compile(r"\.reel-([0-9a-f]{8})-([0-9]+)-[0-9a-f]{8}\.part")


def temporary_name(folder: Path) -> Path:
    """Return a hidden path in `folder` that no other process or thread uses."""
    return folder / f".reel-{_host()}-{os.getpid()}-{secrets.token_hex(4)}.part"


@contextlib.contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Lock `folder` against other processes of this machine that publish there.

    Yields False if the system or the disk cannot lock folders; publishing is safe without the lock too.
    """
    if sys.platform == "win32":
        yield False
        return
    import fcntl

    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            is_held = True
        except OSError:
            is_held = False
        yield is_held
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Delete the temporary files that killed processes of this machine left in `folder`.

    The folder must be locked: a process of another container, which is not visible here, may be writing to it.
    """
    for path in folder.iterdir():
        match = _TEMPORARY.fullmatch(path.name)
        if match and match[1] == _host() and not _runs(int(match[2])):
            with contextlib.suppress(OSError):  # a file that cannot be deleted does no harm
                path.rmdir() if path.is_dir() else path.unlink()


def put_copy(source: Path, target: Path, sha256: str, *, over: bool) -> bool:
    """Copy a file to `target`. Returns False, without writing the target, if the copy has another digest than `sha256`.

    With `over`, an existing file is replaced; without, it stays, and `FileExistsError` is raised.
    """
    beside = temporary_name(target.parent)
    try:
        is_complete = copy_verified(source, beside) == sha256
        if is_complete:
            _move(beside, target, over=over)
    finally:
        beside.unlink(missing_ok=True)
    return is_complete


def put_content(content: bytes, target: Path, *, over: bool) -> None:
    """Write content to `target`; `over` is as in `put_copy`."""
    beside = temporary_name(target.parent)
    try:
        with open(beside, "xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        _move(beside, target, over=over)
    finally:
        beside.unlink(missing_ok=True)


def _move(beside: Path, target: Path, *, over: bool) -> None:
    if over:
        os.replace(beside, target)
    elif os.name == "nt":
        beside.rename(target)  # on Windows, this fails if the target exists
    elif not try_link(beside, target):
        if os.path.lexists(target):
            raise FileExistsError(target)
        os.replace(beside, target)


def _host() -> str:
    return hashlib.sha256(platform.node().encode(errors="replace")).hexdigest()[:8]


def _runs(process: int) -> bool:
    """Tell whether a process with this number exists; True if that cannot be found out safely."""
    if os.name == "nt":
        return True  # on Windows, signal 0 would interrupt it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
