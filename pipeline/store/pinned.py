"""Pin contents that must stay in a store because a person is looking at them, even if no published job needs them.

    pins/<name>     the sha256 of each content that `name` needs, and of its media file, one a line

A pin is written without the lock of the store, because it changes nothing that exists.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from pipeline.store.place import is_digest
from shared.files import write_atomically

_FOLDER = "pins"


def pin(root: Path, name: str, digests: Iterable[str]) -> None:
    """Keep these contents in the store below `root` until `unpin`."""
    (root / _FOLDER).mkdir(parents=True, exist_ok=True)
    write_atomically(root / _FOLDER / name, "".join(f"{digest}\n" for digest in digests).encode())


def unpin(root: Path, name: str) -> None:
    """Remove the pin `name`, so that its contents may be deleted."""
    (root / _FOLDER / name).unlink(missing_ok=True)


def pinned(root: Path) -> set[str]:
    """Return the digests of all pinned contents."""
    found: set[str] = set()
    for path in (root / _FOLDER).glob("*"):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            found |= {line for line in path.read_text(encoding="utf-8").split() if is_digest(line)}
    return found
