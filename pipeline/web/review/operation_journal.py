"""Keeps the operations on a draft in a file: what was acknowledged is there after a kill at any moment.

A line is a revision in JSON, led by the first digits of its sha256. It is on the disk before `append` returns. A last
line that is not whole was never acknowledged, so it is cut off. Any other damage is an error: what follows it was
acknowledged.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from pydantic import ValidationError

from pipeline.base.errors import BadInput
from pipeline.web.review.operations import Draft, Item, Operation, Revision, applied, inverse, to_redo, to_undo

_DIGITS = 16


class StaleRevision(Exception):
    """Error: the draft has changed since. `missed` are the revisions that the caller does not know."""

    def __init__(self, missed: Sequence[Revision]) -> None:
        super().__init__(f"{len(missed)} revisions were saved since")
        self.missed = tuple(missed)


class OperationJournal:
    """The journal of one draft. One process writes it; its threads may share an object."""

    def __init__(self, path: Path, start: Draft) -> None:
        """Open the journal at `path` for a draft that began as `start`. Raises `BadInput` if it is damaged."""
        self._path, self._lock = path, Lock()
        content = path.read_bytes() if path.exists() else b""
        self._revisions, self._size = _read(content, path)
        self._start = dict(start)
        self._draft = dict(start)
        for revision in self._revisions:
            self._draft = applied(self._draft, revision.operations)
        self._batches = {revision.batch: revision for revision in self._revisions if revision.batch}

    @property
    def revision(self) -> int:
        """Return the number of the newest revision, 0 before the first."""
        return len(self._revisions)

    @property
    def saved_ms(self) -> int | None:
        """Return when the newest revision was saved, in milliseconds since 1970; None before the first."""
        try:
            return self._path.stat().st_mtime_ns // 1_000_000
        except OSError:
            return None

    @property
    def draft(self) -> dict[str, Item]:
        """Return the draft as it is now."""
        with self._lock:
            return dict(self._draft)

    @property
    def revisions(self) -> tuple[Revision, ...]:
        """Return all revisions."""
        return self.since(0)

    def at(self, number: int) -> dict[str, Item]:
        """Return the draft as it was after the revision `number`."""
        draft = dict(self._start)
        for revision in self.since(0)[:number]:
            draft = applied(draft, revision.operations)
        return draft

    def saved_as(self, batch: str) -> Revision | None:
        """Return the revision that a client has sent under this name; None if none has arrived."""
        with self._lock:
            return self._batches.get(batch)

    def since(self, number: int) -> tuple[Revision, ...]:
        """Return the revisions after this one."""
        with self._lock:
            return tuple(self._revisions[max(number, 0) :])

    def append(self, known: int, operations: Sequence[Operation], batch: str | None = None) -> Revision:
        """Save operations that were made for the revision `known`, and return the new revision.

        A `batch` that was saved before is not saved again: its revision is returned. Raises `StaleRevision` if `known`
        is not the newest, and `OperationConflict`; then nothing is saved.
        """
        with self._lock:
            if batch and (before := self._batches.get(batch)):
                return before
            return self._append(known, Revision(number=known + 1, operations=tuple(operations), batch=batch))

    def undo(self, known: int, batch: str | None = None) -> Revision | None:
        """Take back the newest revision that is not taken back yet, and return the new one; None if there is none."""
        with self._lock:
            if batch and (before := self._batches.get(batch)):
                return before
            last = to_undo(self._revisions)
            if last is None:
                return None
            operations = inverse(last.operations)
            return self._append(
                known, Revision(number=known + 1, operations=operations, undoes=last.number, batch=batch)
            )  # fmt: skip

    def redo(self, known: int, batch: str | None = None) -> Revision | None:
        """Take back the newest undoing, and return the new revision; None if something else was done since."""
        with self._lock:
            if batch and (before := self._batches.get(batch)):
                return before
            last = to_redo(self._revisions)
            if last is None:
                return None
            operations = inverse(last.operations)
            return self._append(
                known, Revision(number=known + 1, operations=operations, redoes=last.number, batch=batch)
            )  # fmt: skip

    def _append(self, known: int, revision: Revision) -> Revision:
        if known != len(self._revisions):
            raise StaleRevision(self._revisions[max(known, 0) :])
        draft = applied(self._draft, revision.operations)
        line = _line(revision)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self._path.exists()
        with open(self._path, "r+b" if not is_new else "x+b") as stream:
            stream.truncate(self._size)  # the rest of a line that was never acknowledged
            stream.seek(self._size)
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())
        if is_new:
            _flush_folder(self._path.parent)
        self._size += len(line)
        self._revisions.append(revision)
        self._draft = draft
        if revision.batch:
            self._batches[revision.batch] = revision
        return revision


def _line(revision: Revision) -> bytes:
    content = revision.model_dump_json(exclude_defaults=True).encode()
    return hashlib.sha256(content).hexdigest()[:_DIGITS].encode() + b" " + content + b"\n"


def _read(content: bytes, path: Path) -> tuple[list[Revision], int]:
    """Return the whole revisions, and where they end."""
    revisions: list[Revision] = []
    size = 0
    while (end := content.find(b"\n", size)) >= 0:
        revision = _revision(content[size:end])
        if revision is None or revision.number != len(revisions) + 1:
            raise BadInput(
                "edits.journal",
                f"line {len(revisions) + 1} of {path} is damaged, expected a revision with its checksum",
                hint="restore the file from a copy",
            )
        revisions.append(revision)
        size = end + 1
    return revisions, size


def _revision(line: bytes) -> Revision | None:
    digits, _, content = line.partition(b" ")
    if hashlib.sha256(content).hexdigest()[:_DIGITS].encode() != digits:
        return None
    try:
        return Revision.model_validate_json(content)
    except ValidationError:
        return None


def _flush_folder(folder: Path) -> None:
    """Flush the name of a new file; Windows cannot, and does not need to."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
