"""Examines the files in a folder, for the decisions of `pipeline.publishing.targets`."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pipeline.publishing.batch_media import BatchMedia
from pipeline.publishing.beside import place_of
from shared.files import sha256_of

Kind = Literal["nothing", "file", "media", "other"]


class FolderContents:
    """Files in a folder, read when they are first needed. `unchanged` tells whether a file has not changed since reel
    published it."""

    def __init__(self, folder: Path, batch: BatchMedia, unchanged: Callable[[Path], bool]) -> None:
        self._folder, self._batch, self._unchanged = folder, batch, unchanged
        self._digests: dict[str, str] = {}

    def kind(self, name: str) -> Kind:
        """Return what a name stands for: a media file of the run, another regular file, something else, or nothing."""
        path = place_of(self._folder, name)
        if path in self._batch:
            return "media"
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return "nothing"
        return "file" if stat.S_ISREG(status.st_mode) else "other"

    def size(self, name: str) -> int:
        """Return the size of a file."""
        return os.lstat(place_of(self._folder, name)).st_size

    def sha256(self, name: str) -> str:
        """Return the digest of a file's content; it is read once."""
        if name not in self._digests:
            self._digests[name] = sha256_of(place_of(self._folder, name))
        return self._digests[name]

    def is_unchanged(self, name: str) -> bool:
        """Tell whether a file has not changed since reel published it, so that other bytes in it are damage."""
        return self._unchanged(place_of(self._folder, name))
