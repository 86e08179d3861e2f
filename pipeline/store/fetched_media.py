"""Find the media files that were fetched from an address. They are kept in the store, and count towards its size.

addresses/<id>/address.json   the record; its time is that of the last use
addresses/<id>/<title>.mp4    the file
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER, RECORD = "addresses", "address.json"


@dataclass(frozen=True)
class FetchedMedia:
    """A fetched media file, in a folder of its own. `used_at` is in seconds since 1970."""

    folder: Path
    file: Path
    bytes: int
    used_at: float

    @property
    def key(self) -> str:
        """Return the name by which a clean-up is told to keep it."""
        return self.folder.name


def fetched_media(root: Path) -> Iterator[FetchedMedia]:
    """Yield the fetched media files of the store below `root`, without those that are still being fetched."""
    for record in sorted((root / FOLDER).glob(f"*/{RECORD}")):
        with contextlib.suppress(OSError):  # another process is deleting it
            for entry in os.scandir(record.parent):
                if entry.name != RECORD and entry.is_file(follow_symlinks=False):
                    size, used_at = entry.stat().st_size, record.stat().st_mtime
                    yield FetchedMedia(record.parent, Path(entry.path), size, used_at)


def key_of(media: Path, root: Path) -> str | None:
    """Return the key of a media file that was fetched; None for any other file."""
    return media.parent.name if media.parent.parent == root / FOLDER else None
