"""Keeps uploads that come in pieces, so that one that was cut off goes on where it ended, also on another day's server.

Each has a file of what has come and a note with its length, name and, once all of it is there, its place.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from pipeline.web.refused import Refused
from pipeline.web.uploads import Upload, Uploads, no_space
from shared.documents.base import Frozen
from shared.files import sha256_of, write_atomically

_AT_ONCE = 8
_IDLE_S = 600.0  # an upload that nothing came for since then does not count as one on its way
_KEPT_S = 24 * 3600.0
_ID = re.compile(r"[0-9a-f]{32}")


class Note(Frozen):
    """Note about an upload. `path` and `digest` are empty until all of it has come."""

    format: Literal[1] = 1
    length: int
    label: str
    path: str = ""
    digest: str = ""


class PartialUploads:
    """Uploads in pieces, in a folder of their own. Raises `Refused`."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads, self._folder = uploads, uploads.folder / "partial"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._writing: set[str] = set()

    def create(self, length: int, label: str) -> str:
        """Begin an upload of so many bytes; its id."""
        if refused := self._uploads.room(length):
            raise refused
        since = time.time() - _IDLE_S
        if sum(path.stat().st_mtime > since for path in self._folder.glob("*.part")) >= _AT_ONCE:
            text = f"{_AT_ONCE} uploads are on their way already"
            raise Refused(429, "serve.uploads", text, "finish one of them, or delete it", retry_after_s=60)
        name = secrets.token_hex(16)
        try:
            self._part(name).touch()
            self._write(name, Note(length=length, label=label))
        except OSError as error:
            self._part(name).unlink(missing_ok=True)
            raise no_space(error) from error
        return name

    def note(self, name: str) -> Note:
        """Return the note about an upload."""
        if _ID.fullmatch(name):
            try:
                return Note.model_validate_json(self._file(name).read_bytes())
            except (OSError, ValidationError):
                pass
        raise Refused(404, "serve.no-upload", "there is no such upload")

    def offset(self, name: str) -> int:
        """Return the number of bytes that have come."""
        note = self.note(name)
        return note.length if note.path else self._part(name).stat().st_size

    @contextlib.contextmanager
    def writing(self, name: str, offset: int) -> Iterator[None]:
        """Hold an upload for one writer at a time, while the block is run."""
        if name in self._writing:
            raise Refused(409, "serve.busy", "another request is writing this upload")
        if offset != self.offset(name):
            raise Refused(409, "serve.offset", f"the upload goes on at byte {self.offset(name)}")
        self._writing.add(name)
        try:
            yield
        finally:
            self._writing.discard(name)

    def append(self, name: str, piece: bytes) -> int:
        """Append a piece; the number of bytes that have come."""
        note = self.note(name)
        try:
            with open(self._part(name), "ab") as stream:
                if stream.tell() + len(piece) > note.length:
                    raise Refused(413, "serve.too-large", "more has come than the upload's length")
                stream.write(piece)
                return stream.tell()
        except OSError as error:
            raise no_space(error) from error

    def complete(self, name: str) -> None:
        """Move an upload to its place if all of it has come. Reads all of it."""
        note, part = self.note(name), self._part(name)
        if note.path or part.stat().st_size < note.length:
            return
        upload = self._uploads.place(part, sha256_of(part), note.label)
        self._write(name, note.model_copy(update={"path": str(upload.path), "digest": upload.digest}))

    def upload(self, name: str) -> Upload:
        """Return a complete upload."""
        note = self.note(name)
        if not note.path:
            raise Refused(409, "serve.incomplete", f"the upload has {self.offset(name)} of {note.length} bytes")
        if not Path(note.path).is_file():
            raise Refused(410, "media.missing", "the upload was deleted", "upload it again")
        return Upload(Path(note.path), note.digest)

    def delete(self, name: str) -> None:
        """Delete an upload that is on its way, or the note about a complete one."""
        self.note(name)
        self._part(name).unlink(missing_ok=True)
        self._file(name).unlink(missing_ok=True)

    def sweep(self, kept_s: float = _KEPT_S) -> None:
        """Delete what nothing has come for since `kept_s`."""
        limit = time.time() - kept_s
        for path in self._folder.iterdir():
            if path.stat().st_mtime < limit and path.stem not in self._writing:
                path.unlink(missing_ok=True)

    def _write(self, name: str, note: Note) -> None:
        write_atomically(self._file(name), note.model_dump_json().encode())

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _part(self, name: str) -> Path:
        return self._folder / f"{name}.part"
