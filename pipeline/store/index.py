"""The index: an SQLite database of what the result store holds and of what was run.

It is never the only place of anything. Results are copied from their manifests; a run is written as a file when it
ends, and copied back from there. So a damaged index is made anew, and SQLite's log may live on a local disk while the
results lie elsewhere.

Two grades of waiting for the disk: what ends a run is there when `execute` returns, whatever happens to the power.
The rows of single steps are not waited for: they survive the end of this process, and after a loss of power the rows
that are missing are found by their manifests.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from pipeline.base.errors import ReelError
from pipeline.store.network_disk import network_disk
from shared.documents.base import Document, DocumentError
from shared.files import write_by_rename

VERSION = 4
_SCHEMA = """
CREATE TABLE IF NOT EXISTS results (
    key TEXT PRIMARY KEY, stage TEXT NOT NULL, backend TEXT NOT NULL, bytes INTEGER NOT NULL, seconds REAL NOT NULL);
CREATE TABLE IF NOT EXISTS media (
    device INTEGER, inode INTEGER, size INTEGER, modified_ns INTEGER, sha256 TEXT NOT NULL,
    PRIMARY KEY (device, inode, size, modified_ns));
CREATE TABLE IF NOT EXISTS media_tracks (
    device INTEGER, inode INTEGER, size INTEGER, modified_ns INTEGER, tracks TEXT NOT NULL,
    PRIMARY KEY (device, inode));
CREATE TABLE IF NOT EXISTS receipts (
    media TEXT PRIMARY KEY, digest TEXT NOT NULL, plan TEXT NOT NULL, folder TEXT NOT NULL, files TEXT NOT NULL,
    keys TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS runs (
    run TEXT PRIMARY KEY, started TEXT NOT NULL, finished TEXT, state TEXT NOT NULL, recipe TEXT, profile TEXT);
CREATE TABLE IF NOT EXISTS run_items (
    run TEXT NOT NULL, item TEXT NOT NULL, media TEXT, folder TEXT, state TEXT NOT NULL, seconds REAL,
    PRIMARY KEY (run, item));
CREATE TABLE IF NOT EXISTS run_steps (
    run TEXT NOT NULL, item TEXT NOT NULL, media TEXT NOT NULL, step TEXT NOT NULL, backend TEXT NOT NULL,
    key TEXT, state TEXT NOT NULL, seconds REAL, started_ms INTEGER, ended_ms INTEGER, worker TEXT,
    PRIMARY KEY (run, item, step));
CREATE INDEX IF NOT EXISTS run_steps_media ON run_steps (media, step);
CREATE INDEX IF NOT EXISTS run_steps_key ON run_steps (key);
CREATE TABLE IF NOT EXISTS run_workers (
    run TEXT NOT NULL, worker TEXT NOT NULL, label TEXT NOT NULL, host TEXT NOT NULL, generation INTEGER NOT NULL,
    started_ms INTEGER NOT NULL, ended_ms INTEGER, reason TEXT, peak_memory_mb REAL, peak_gpu_memory_mb REAL,
    PRIMARY KEY (run, worker));
CREATE TABLE IF NOT EXISTS run_loads (
    run TEXT NOT NULL, worker TEXT NOT NULL, stage TEXT NOT NULL, backend TEXT NOT NULL, models TEXT NOT NULL,
    ended_ms INTEGER NOT NULL, seconds REAL NOT NULL, memory_mb REAL, PRIMARY KEY (run, worker, stage, backend));
"""
RUN_TABLES = ("runs", "run_items", "run_steps", "run_workers", "run_loads")

_JSON = json.JSONEncoder(ensure_ascii=False)  # `json.dumps` makes one for each row
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_FORMAT}

Refill = Callable[["Index"], None]
"""Puts everything that is known from files into an empty index."""


class RunFile(Document):
    """A run as a file: the rows of each table that has some of it."""

    tables: dict[str, tuple[dict[str, JsonValue], ...]]


class Index:
    """One index file. One process writes, between `open` and `close`; others read."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._database: sqlite3.Connection | None = None
        self._read: tuple[int, sqlite3.Connection] | None = None
        self._gathering = False
        self._waits: bool | None = None  # for the disk, as the connection is set now
        self._known: dict[str, tuple[str, ...]] = {}
        self._statements: dict[tuple[str, ...], str] = {}  # that put a row of these columns into this table

    @contextlib.contextmanager
    def open_for_writing(self, refill: Refill) -> Iterator[None]:
        """Open the index, made anew where it is damaged or of another version. Raises `ReelError` on a disk that
        SQLite's log is not safe on."""
        if kind := network_disk(self.file.parent):
            raise ReelError(
                "results.network-disk",
                f"the index {self.file} would lie on a network disk ({kind}), where SQLite's log is not safe",
                hint="leave the results there and put the index on a local disk with `--set index_dir=...`; or move"
                " both with `--set results_dir=...`",
            )
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self._connect(refill)
        try:
            yield
        finally:
            self._writable().close()
            self._database = None

    @property
    def is_open(self) -> bool:
        """Whether this process may write."""
        return self._database is not None

    @contextlib.contextmanager
    def one_write(self, *, wait: bool = True) -> Iterator[None]:
        """All writes of the block at once: one transaction, and at most one wait for the disk, instead of many."""
        database = self._writable()
        if self._gathering:
            yield
            return
        self._wait_for_disk(database, wait)
        with database:
            self._gathering = True
            try:
                yield
            finally:
                self._gathering = False

    def execute(
        self, statement: str, values: tuple[object, ...] | Mapping[str, object] = (), *, wait: bool = True
    ) -> None:
        """One write. With `wait`, it survives a loss of power when this returns, unless inside `one_write`."""
        with self._write(wait) as database:
            database.execute(statement, values)

    @contextlib.contextmanager
    def _write(self, wait: bool) -> Iterator[sqlite3.Connection]:
        """A transaction of its own, or a part of the one that `one_write` has begun."""
        database = self._writable()
        if self._gathering:
            yield database
            return
        self._wait_for_disk(database, wait)
        with database:
            yield database

    def _wait_for_disk(self, database: sqlite3.Connection, wait: bool) -> None:
        if wait != self._waits:
            database.execute(f"PRAGMA synchronous={'FULL' if wait else 'NORMAL'}")
            self._waits = wait

    def put(self, table: str, row: Mapping[str, object], *, wait: bool = False) -> None:
        """Insert a row, or replace the one with its key; columns that this release does not know are passed over."""
        self._put(table, row, "REPLACE", wait=wait)

    def put_all(self, table: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Insert or replace rows that have the same columns."""
        if rows:
            with self._write(wait=False) as database:
                database.executemany(self._insertion(table, rows[0], "REPLACE"), rows)

    def query(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """One read; empty where there is no index yet. Raises `ReelError` when it is damaged."""
        try:
            if self._database is not None:
                return self._database.execute(statement, values).fetchall()
            if not self.file.exists():
                return []
            database = self._reader()
            return database.execute(statement, values).fetchall() if database else []
        except sqlite3.DatabaseError as error:
            raise trouble(self.file, error) from error

    def _reader(self) -> sqlite3.Connection | None:
        """The index to read in, kept open for as long as it is the same file; None where it is of another version."""
        inode = self.file.stat().st_ino
        if self._read is None or self._read[0] != inode:
            database = self._for_reading()
            if _version(database) != VERSION:
                database.close()
                return None  # the next writer makes it anew
            self._read = inode, database
        return self._read[1]

    def _for_reading(self) -> sqlite3.Connection:
        database = sqlite3.connect(f"{self.file.as_uri()}?mode=ro", uri=True)
        try:
            _version(database)
        except sqlite3.OperationalError as error:
            database.close()
            if (
                error.sqlite_errorcode != sqlite3.SQLITE_CANTOPEN
                or self.file.with_name(self.file.name + "-wal").exists()
            ):
                raise
            # On a disk that cannot be written there is no place for SQLite's shared memory, and no writer either.
            return sqlite3.connect(f"{self.file.as_uri()}?mode=ro&immutable=1", uri=True)
        return database

    def rows(self, table: str, run: str) -> list[dict[str, JsonValue]]:
        """What a table holds of a run, in the order it was written."""
        columns = self._columns(table)
        found = self.query(f"SELECT {', '.join(columns)} FROM {table} WHERE run = ? ORDER BY rowid", (run,))
        return [dict(zip(columns, row, strict=True)) for row in found]  # type: ignore[arg-type]

    def write_run(self, run: str, file: Path) -> None:
        """The run as a file, from which `read_run` brings it back; a `RunFile`, written row by row, since the rows of
        ten thousand media are more than should be held at once."""
        file.parent.mkdir(parents=True, exist_ok=True)
        with write_by_rename(file) as stream:
            stream.write('{"format": 1, "tables": {')
            for number, table in enumerate(RUN_TABLES):
                stream.write(f"{', ' if number else ''}{json.dumps(table)}: [")
                columns = self._columns(table)
                wanted = f"SELECT {', '.join(columns)} FROM {table} WHERE run = ? ORDER BY rowid"
                for index, row in enumerate(self._writable().execute(wanted, (run,))):
                    text = _JSON.encode(dict(zip(columns, row, strict=True)))
                    stream.write(f"{',' if index else ''}\n {text}")
                stream.write("]")
            stream.write("}}\n")

    def read_run(self, file: Path) -> None:
        """Take a run in from its file; what this release cannot read of it is passed over."""
        try:
            kept = RunFile.read(file)
        except (OSError, DocumentError):
            return
        for table in RUN_TABLES:
            for row in kept.tables.get(table, ()):
                self.put(table, row)

    def damage(self) -> str | None:
        """What SQLite finds wrong with the file; None for nothing."""
        try:
            found = self.query("PRAGMA quick_check(1)")
        except ReelError as error:
            return error.message
        return None if found in ([], [("ok",)]) else str(found[0][0])

    def rebuild(self, refill: Refill) -> None:
        """Make the index anew from files, and keep of the old one what can still be read of runs."""
        self._writable().close()
        self._database, self._waits = self._made_anew(refill), None

    def _connect(self, refill: Refill) -> None:
        database = None
        try:
            database = _opened(self.file) if self.file.exists() else None
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise  # the disk is full or read-only: nothing is wrong with the file
        self._database, self._waits = database or self._made_anew(refill), None

    def _made_anew(self, refill: Refill) -> sqlite3.Connection:
        """The new index is filled beside the old one and then takes its place, so that a kill in between loses
        nothing."""
        beside = self.file.with_name(f"{self.file.name}.new")
        _remove(beside)
        with contextlib.closing(_made(beside)) as self._database:
            self._waits = None
            with self.one_write():
                refill(self)
                for table, row in _salvaged(self.file):
                    self._put(table, row, "IGNORE")
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        _remove(self.file)
        beside.replace(self.file)
        database = _opened(self.file)
        assert database is not None, "an index that was just made is of another version"
        return database

    def _put(self, table: str, row: Mapping[str, object], conflict: str, *, wait: bool = False) -> None:
        self.execute(self._insertion(table, row, conflict), row, wait=wait)

    def _insertion(self, table: str, row: Iterable[str], conflict: str) -> str:
        """The statement for a row of these columns."""
        shape = (table, conflict, *row)
        if shape not in self._statements:
            columns = self._columns(table)
            known = [name for name in row if name in columns]
            marks = ", ".join(f":{name}" for name in known)
            self._statements[shape] = f"INSERT OR {conflict} INTO {table} ({', '.join(known)}) VALUES ({marks})"
        return self._statements[shape]

    def _columns(self, table: str) -> tuple[str, ...]:
        if table not in self._known:
            self._known[table] = tuple(str(row[1]) for row in self.query(f"PRAGMA table_info({table})"))
        return self._known[table]

    def _writable(self) -> sqlite3.Connection:
        assert self._database is not None, "the store is not open for writing"
        return self._database


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is at fault, and not the disk or somebody who holds it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE


def trouble(file: Path, error: sqlite3.Error) -> ReelError:
    """The error for an index that SQLite cannot work with."""
    if is_damage(error):
        return ReelError(
            "results.damaged",
            f"the index {file} is damaged: {error}",
            hint="`./reel runs repair` makes it anew from the results themselves; none of them is lost",
        )
    return ReelError(
        "results.unwritable",
        f"the index {file} cannot be used: {error}",
        hint="free some space, or choose another place with `--set results_dir=...`; what is stored is kept",
    )


def _opened(file: Path) -> sqlite3.Connection | None:
    """The index; None where it is empty or of another version. Raises `sqlite3.DatabaseError`."""
    database = sqlite3.connect(file, timeout=10)
    try:
        if _version(database) != VERSION:
            database.close()
            return None
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database


def _made(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=10)
    database.execute("PRAGMA journal_mode=WAL")
    database.executescript(_SCHEMA)
    database.execute(f"PRAGMA user_version={VERSION}")
    return database


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _salvaged(file: Path) -> Iterator[tuple[str, dict[str, object]]]:
    """The rows of runs that can still be read from a damaged index, or from one of another version."""
    if not file.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as old:
            for table in RUN_TABLES:
                yield from _readable(old, table)
    except sqlite3.DatabaseError:
        return


def _readable(old: sqlite3.Connection, table: str) -> Iterator[tuple[str, dict[str, object]]]:
    try:
        cursor = old.execute(f"SELECT * FROM {table}")
        columns = [column[0] for column in cursor.description]
        for row in cursor:
            yield table, dict(zip(columns, row, strict=True))
    except sqlite3.DatabaseError:
        return


def _remove(file: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
