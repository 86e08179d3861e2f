"""Checks the file that a user names for a result, such as a report, before reel writes it."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from pipeline.base.display_paths import shown
from pipeline.base.errors import BadInput
from pipeline.publishing.record import is_regular
from shared.files import write_atomically

_HEAD_BYTES = 2_000
_SPARE = 1.02


@dataclass(frozen=True)
class NamedFile:
    """A file to be written: the code of errors about it, its path, its `kind` for people, and the `mark` near the
    beginning of every file of that kind."""

    code: str
    path: Path
    kind: str
    mark: str

    def check(self, size: int = 0) -> None:
        """Raise `BadInput` unless the file may be written and its disk has room for `size` bytes.

        Only a file with the mark is replaced.
        """
        folder = self.path.parent
        if not folder.is_dir():
            raise BadInput(self.code, f"{shown(folder)} is not a folder", hint="make it, or choose another folder")
        if self.path.is_dir():
            raise BadInput(self.code, f"{shown(self.path)} is a folder, expected the name of a file")
        try:
            if os.path.lexists(self.path):
                self._check_existing()
            free = shutil.disk_usage(folder).free
        except OSError as error:
            raise self.unwritable(error) from error
        if free < size * _SPARE:
            what = f"{self.kind} of {size / 1e6:.0f} MB does not fit into {shown(folder)}, which has {free / 1e6:.0f}"
            raise BadInput(self.code, f"{what} MB free", hint="free some space there, or choose another folder")

    def write(self, content: bytes) -> None:
        """Write the file, complete or not at all. Raises `BadInput`."""
        self.check(len(content))
        try:
            write_atomically(self.path, content)
        except OSError as error:
            raise self.unwritable(error) from error

    def unwritable(self, error: OSError) -> BadInput:
        """Return the error for a system that refuses to write the file."""
        hint = "free some space there, or choose another folder" if error.errno == errno.ENOSPC else None
        return BadInput(self.code, f"{shown(self.path)} cannot be written: {error.strerror or error}", hint=hint)

    def _check_existing(self) -> None:
        if not is_regular(self.path):
            raise BadInput(self.code, f"{shown(self.path)} is not a regular file", hint="choose another name")
        with open(self.path, "rb") as stream:
            if self.mark.encode() in stream.read(_HEAD_BYTES):
                return
        raise BadInput(
            self.code,
            f"{shown(self.path)} is there already, and is not {self.kind} of reel's",
            hint="choose another name, or move that file away",
        )
