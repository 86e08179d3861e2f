"""Explains errors of the operating system, such as a file that may not be written, which are not bugs of reel."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from pipeline.base.display_paths import shown
from pipeline.base.errors import ReelError

_RIGHTS = "give this user the right, or choose another folder; `./reel config show --origin` shows where each is set"
_ROOM = "free some space there, or choose another folder; `./reel config show --origin` shows where each is set"
_DEVICE = "see whether the disk is connected and healthy, then run the same command again"
_HINTS = {
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: _RIGHTS,
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: _ROOM,
    errno.EIO: _DEVICE,
    errno.ENODEV: _DEVICE,
    errno.ENOTCONN: _DEVICE,
    errno.ESTALE: _DEVICE,
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "put a file or folder in the place of that link: it leads in a circle, or reel follows no link there",
    errno.EMFILE: "allow more open files: `ulimit -n 4096`",
    errno.ENFILE: "end other programs: the whole system has too many open files",
}


def system_refusal(error: Exception) -> ReelError | None:
    """Return the error for an operation that the system refused and that the user can make possible; else None."""
    if not isinstance(error, OSError) or error.errno not in _HINTS:
        return None
    path = error.filename2 or error.filename
    what = shown(Path(os.fsdecode(path))) if isinstance(path, str | bytes | os.PathLike) else "a file"
    return ReelError(
        "system.refused",
        f"the system refuses to read or write {what}: {error.strerror or error}",
        hint=_HINTS[error.errno],
    )
