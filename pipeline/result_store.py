"""Results by key: objects named by their content, a manifest for each result, and an index that can be rebuilt.

    objects/ab/ab12...        a file's content under its sha256, never changed
    manifests/cd/cd34....json a result: its key's ingredients, its files, what the stage noted
    index.sqlite              what can be looked up faster; rows are copied from manifests
    staging/                  where steps write; swept by the next owner
    lock                      held by the kernel for the one writer, as long as it lives

A result comes to be in this order: object, manifest, row. So a row without its objects cannot be, and whatever a
killed process leaves behind is either complete or not found.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import JsonValue

from pipeline.errors import Locked, ReelError
from pipeline.result_key import InputDigests
from shared.document import Document, DocumentError, Frozen
from shared.files import sha256_of
from shared.stage import Fact

_SCHEMA = """
CREATE TABLE IF NOT EXISTS results (
    key TEXT PRIMARY KEY, stage TEXT NOT NULL, backend TEXT NOT NULL, bytes INTEGER NOT NULL, seconds REAL NOT NULL);
CREATE TABLE IF NOT EXISTS media (
    device INTEGER, inode INTEGER, size INTEGER, modified_ns INTEGER, sha256 TEXT NOT NULL,
    PRIMARY KEY (device, inode, size, modified_ns));
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, started TEXT NOT NULL, finished TEXT, state TEXT NOT NULL, recipe TEXT, profile TEXT);
CREATE TABLE IF NOT EXISTS run_steps (
    run TEXT NOT NULL, item TEXT NOT NULL, media TEXT NOT NULL, step TEXT NOT NULL, backend TEXT NOT NULL,
    key TEXT, state TEXT NOT NULL, seconds REAL, PRIMARY KEY (run, item, step));
CREATE INDEX IF NOT EXISTS run_steps_media ON run_steps (media, step);
"""
_INDEX_VERSION = 1
_DISK_REFUSES = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
_INSERT_RESULT = "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?)"
_WHOLE_SECOND_NS = 1_000_000_000


class StoredFile(Frozen):
    """A file of a result, by its content. `name` is what the stage called it."""

    sha256: str
    size: int
    name: str


class StoredResult(Document):
    """A result's manifest. Holds nothing that differs between two runs of the same step but times and memory."""

    key: str
    ingredients: dict[str, JsonValue]
    outputs: dict[str, StoredFile | tuple[StoredFile, ...] | None]
    facts: dict[str, Fact]
    warnings: tuple[str, ...]
    seconds: float
    cpu_s: float
    memory_mb: float | None

    def digests(self, role: str) -> str | list[str] | None:
        """What a step that takes this output puts into its own key."""
        output = self.outputs[role]
        if output is None:
            return None
        return output.sha256 if isinstance(output, StoredFile) else [file.sha256 for file in output]

    @property
    def files(self) -> tuple[StoredFile, ...]:
        """All files of the result."""
        found: list[StoredFile] = []
        for output in self.outputs.values():
            found += (output,) if isinstance(output, StoredFile) else (output or ())
        return tuple(found)

    @property
    def row(self) -> tuple[str, str, str, int, float]:
        """The result as the index knows it."""
        size = sum(file.size for file in self.files)
        return self.key, str(self.ingredients["stage"]), str(self.ingredients["backend"]), size, self.seconds


class ResultStore:
    """The store below one folder. `open_for_writing` makes this process its one writer; reading needs no lock."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._database: sqlite3.Connection | None = None
        self._gathering = False

    @contextlib.contextmanager
    def open_for_writing(self, purpose: str) -> Iterator[None]:
        """Hold the store for the life of the block. Raises `Locked` while another process does, and `ReelError` when
        the disk refuses, also in the middle of the block."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._root / "lock", timeout=0)
            lock.acquire()
        except Timeout as error:
            raise Locked(
                "results.locked",
                f"another process is at work here: {self._owner()}",
                hint="wait until it has finished, or end it",
            ) from error
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            # For people, and gone with the process: not worth waiting for the disk.
            (self._root / "owner.json").write_text(json.dumps({"pid": os.getpid(), "does": purpose}))
            shutil.rmtree(self._root / "staging", ignore_errors=True)
            with contextlib.closing(self._connect()) as self._database:
                yield
        except sqlite3.OperationalError as error:
            raise self._unwritable(error) from error
        except OSError as error:
            if error.errno in _DISK_REFUSES:
                raise self._unwritable(error) from error
            raise
        finally:
            self._database = None
            lock.release()

    def lookup(self, key: str) -> StoredResult | None:
        """The result, if its manifest and all of its objects are there whole."""
        path = self._manifest(key)
        try:
            result = StoredResult.read(path)
        except (FileNotFoundError, DocumentError):
            return None
        if result.key != key or not all(self._is_whole(file) for file in result.files):
            return None
        return result

    def ingredients(self, key: str) -> dict[str, JsonValue] | None:
        """What the key of a result was made of, even when its objects are gone."""
        try:
            return StoredResult.read(self._manifest(key)).ingredients
        except (FileNotFoundError, DocumentError):
            return None

    def path(self, file: StoredFile) -> Path:
        """Where the content of a stored file lies; read it, never change it."""
        return self.object_path(file.sha256)

    def object_path(self, sha256: str) -> Path:
        """Where the content with this digest lies."""
        return self._root / "objects" / sha256[:2] / sha256

    def make_staging(self, name: str) -> Path:
        """An empty folder for a step to write into, on the store's own disk."""
        folder = self._root / "staging" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def take_in(self, path: Path) -> StoredFile:
        """Move a file into the store. Its content is on the disk when this returns."""
        with open(path, "rb") as stream:
            os.fsync(stream.fileno())
        size, digest = path.stat().st_size, sha256_of(path)
        target = self.object_path(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.chmod(0o444)  # a link to it may be published; an editor that writes in place would change the store
        os.replace(path, target)
        _flush_folder(target.parent)
        return StoredFile(sha256=digest, size=size, name=path.name)

    def commit(self, result: StoredResult) -> None:
        """Make the result findable; its objects must be in the store."""
        path = self._manifest(result.key)
        path.parent.mkdir(parents=True, exist_ok=True)
        result.write(path)
        _flush_folder(path.parent)
        self.execute(_INSERT_RESULT, result.row)

    def media_digest(self, path: Path) -> str:
        """The sha256 of a user's file, remembered by what the file system says of it."""
        status = path.stat()
        identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        wanted = "SELECT sha256 FROM media WHERE device = ? AND inode = ? AND size = ? AND modified_ns = ?"
        for row in self.query(wanted, identity):
            return str(row[0])
        digest = sha256_of(path)
        # A file that was changed within this very second may change again under the same time stamp.
        settled = (
            path.stat().st_mtime_ns == status.st_mtime_ns and status.st_ctime_ns < time.time_ns() - _WHOLE_SECOND_NS
        )
        if self._database is not None and settled:
            self.execute("INSERT OR REPLACE INTO media VALUES (?, ?, ?, ?, ?)", (*identity, digest))
        return digest

    @contextlib.contextmanager
    def one_write(self) -> Iterator[None]:
        """All writes of the block at once: one wait for the disk instead of many."""
        assert self._database is not None, "the store is not open for writing"
        with self._database:
            self._gathering = True
            try:
                yield
            finally:
                self._gathering = False

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> None:
        """One write, durable when it returns, unless inside `one_write`. Only the writer may call it."""
        assert self._database is not None, "the store is not open for writing"
        if self._gathering:
            self._database.execute(statement, values)
        else:
            with self._database:
                self._database.execute(statement, values)

    def query(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """One read; empty where the store does not exist yet."""
        if self._database is not None:
            return self._database.execute(statement, values).fetchall()
        index = self._root / "index.sqlite"
        if not index.exists():
            return []
        with contextlib.closing(sqlite3.connect(f"{index.as_uri()}?mode=ro", uri=True)) as database:
            return database.execute(statement, values).fetchall()

    def _connect(self) -> sqlite3.Connection:
        """The index, rebuilt from the manifests when it is damaged or of another version."""
        index = self._root / "index.sqlite"
        try:
            database = _open_index(index)
            if database is not None:
                return database
        except sqlite3.DatabaseError:
            pass
        for leftover in (index, index.with_name(index.name + "-wal"), index.with_name(index.name + "-shm")):
            leftover.unlink(missing_ok=True)
        database = _open_index(index)
        if database is None:
            raise ReelError("results.index", f"the index {index} cannot be made")
        with database:
            for path in sorted((self._root / "manifests").glob("*/*.json")):
                with contextlib.suppress(DocumentError):
                    database.execute(_INSERT_RESULT, StoredResult.read(path).row)
        return database

    def _manifest(self, key: str) -> Path:
        return self._root / "manifests" / key[:2] / f"{key}.json"

    def _is_whole(self, file: StoredFile) -> bool:
        try:
            return self.path(file).stat().st_size == file.size
        except OSError:
            return False

    def _unwritable(self, error: OSError | sqlite3.Error) -> ReelError:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return ReelError(
            "results.unwritable",
            f"the result store {self._root} cannot be written: {why}",
            hint="free some space, or choose another place with `--set results_dir=...`; what is stored is kept",
        )

    def _owner(self) -> str:
        try:
            owner = json.loads((self._root / "owner.json").read_text())
        except (OSError, ValueError):
            return "its process is not known"
        return f"`{owner.get('does')}`, process {owner.get('pid')}"


def as_input(digests: InputDigests, store: ResultStore, media: Mapping[str, Path]) -> dict[str, str | list[str] | None]:
    """Digests of inputs as paths a worker can open; `media` maps the digests of the user's own files to them."""

    def place(digest: str) -> str:
        return str(media.get(digest) or store.object_path(digest))

    return {
        role: None if value is None else place(value) if isinstance(value, str) else [place(one) for one in value]
        for role, value in digests.items()
    }


def _open_index(index: Path) -> sqlite3.Connection | None:
    """The index, made if missing; None where it is of another version. Raises `sqlite3.DatabaseError` when damaged."""
    database = sqlite3.connect(index, timeout=10)
    try:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version not in {0, _INDEX_VERSION}:
            database.close()
            return None
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")  # 0.15 ms a write, against seconds of work
        database.executescript(_SCHEMA)
        if version == 0:
            database.execute(f"PRAGMA user_version={_INDEX_VERSION}")
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
