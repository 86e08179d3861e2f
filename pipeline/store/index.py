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
from pipeline.store.index_file import (
    RUN_TABLES,
    SQL_ERRORS,
    VERSION,
    connect,
    damage_in,
    is_damage,
    make_index,
    open_index,
    remove_index,
    salvaged,
    trouble,
    unusable,
    version_of,
)
from pipeline.store.network_disk import network_disk
from pipeline.store.place import is_run
from shared.documents.base import Document, DocumentError
from shared.files import write_by_rename

_JSON = json.JSONEncoder(ensure_ascii=False)  # `json.dumps` makes one for each row

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
    def open_for_writing(self, refill: Refill, *, checked: bool = False) -> Iterator[None]:
        """Open the index, made anew where it is damaged or of another version; `checked` reads all of it for that.
        Raises `ReelError` on a disk that SQLite's log is not safe on."""
        if kind := network_disk(self.file.parent):
            raise ReelError(
                "results.network-disk",
                f"the index {self.file} would lie on a network disk ({kind}), where SQLite's log is not safe",
                hint="leave the results there and put the index on a local disk with `--set index_dir=...`; or move"
                " both with `--set results_dir=...`",
            )
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self._connect(refill, checked)
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
        except SQL_ERRORS as error:
            raise trouble(self.file, error) from error

    def _reader(self) -> sqlite3.Connection | None:
        """The index to read in, kept open for as long as it is the same file; None where it is of another version."""
        inode = self.file.stat().st_ino
        if self._read is None or self._read[0] != inode:
            database = self._for_reading()
            if version_of(database) != VERSION:
                database.close()
                return None  # the next writer makes it anew
            self._read = inode, database
        return self._read[1]

    def _for_reading(self) -> sqlite3.Connection:
        database = connect(self.file, "ro")
        try:
            version_of(database)
        except sqlite3.OperationalError as error:
            database.close()
            no_place = error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
            if not no_place or self.file.with_name(self.file.name + "-wal").exists():
                raise
            # On a disk that cannot be written there is no place for SQLite's shared memory, and no writer either.
            return connect(self.file, "ro&immutable=1")
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

    def keep_runs(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Write the file of every run that has ended and whose file is damaged or gone. Returns those that were
        written, and the damaged ones whose runs are not known."""
        ended = self.query("SELECT run FROM runs WHERE state != 'running' ORDER BY run")
        known = {folder / f"{run}.json": str(run) for (run,) in ended if is_run(str(run))}
        damaged = [file for file in sorted({*known, *folder.glob("*.json")}) if not _is_run(file)]
        for file in damaged:
            if file in known:
                self.write_run(known[file], file)
        return [file for file in damaged if file in known], [file for file in damaged if file not in known]

    def damage(self) -> str | None:
        """What SQLite finds wrong with the file; None for nothing."""
        if not self.file.exists():
            return None
        try:
            with contextlib.closing(self._for_reading()) as database:
                return damage_in(database)
        except SQL_ERRORS as error:
            if not is_damage(error):
                raise trouble(self.file, error) from error
            return str(error)

    def rebuild(self, refill: Refill) -> None:
        """Make the index anew from files, and keep of the old one what can still be read of runs."""
        self._writable().close()
        self._database, self._waits = self._made_anew(refill), None

    def _connect(self, refill: Refill, checked: bool) -> None:
        database = None
        try:
            database = open_index(self.file) if self.file.exists() else None
            if database and checked and damage_in(database):
                database.close()
                database = None
        except SQL_ERRORS as error:
            if not is_damage(error):
                raise  # the disk is full or read-only: nothing is wrong with the file
            if database:
                database.close()
                database = None
        self._database, self._waits = database or self._made_anew(refill), None

    def _made_anew(self, refill: Refill) -> sqlite3.Connection:
        """The new index is filled beside the old one and then takes its place, so that a kill in between loses
        nothing."""
        try:
            return self._made_beside(refill)
        except OSError as error:
            raise unusable(self.file, f"{error.filename or self.file}: {error.strerror or error}") from error

    def _made_beside(self, refill: Refill) -> sqlite3.Connection:
        beside = self.file.with_name(f"{self.file.name}.new")
        remove_index(beside)
        with contextlib.closing(make_index(beside)) as self._database:
            self._waits = None
            with self.one_write():
                refill(self)
                whole = {str(run) for (run,) in self.query("SELECT run FROM runs")}  # each has a file of its own
                for table, row in salvaged(self.file):
                    run = str(row.get("run"))
                    if run not in whole and is_run(run) and not row.keys().isdisjoint(self._columns(table)):
                        self._put(table, row, "IGNORE")
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        remove_index(self.file)
        beside.replace(self.file)
        database = open_index(self.file)
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


def _is_run(file: Path) -> bool:
    try:
        RunFile.read(file)
    except (OSError, DocumentError):
        return False
    return True
