"""Keep the index: an SQLite database of the stored results and of the runs.

No fact is stored only here. Results are copied from their manifests; a run is written to a file when it ends, and
restored from there. So a damaged index can be rebuilt, and the index may be on a local disk while the results are on
another one.

Writes have two levels of safety. A write that ends a run is on the disk when `execute` returns, and survives a loss of
power. The rows of single steps are not waited for: they survive the end of this process, and after a loss of power,
missing rows are restored from the manifests.
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
    index_error,
    is_damage,
    make_index,
    open_index,
    remove_index,
    runs_in_memory,
    salvaged,
    unusable_index,
    version_of,
)
from pipeline.store.network_disk import network_disk
from pipeline.store.place import is_run
from shared.documents.base import Document, DocumentError
from shared.files import write_by_rename

_JSON = json.JSONEncoder(ensure_ascii=False)  # `json.dumps` makes one for each row

Refill = Callable[["Index"], None]
"""Fills an empty index from files."""


class RunFile(Document):
    """File of a run: its rows in each table."""

    tables: dict[str, tuple[dict[str, JsonValue], ...]]


class Index:
    """Index in one file. One process writes, between `open` and `close`; others read."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._database: sqlite3.Connection | None = None
        self._read: tuple[int, sqlite3.Connection] | None = None
        self._gathering = False
        self._waits: bool | None = None  # for the disk: the current setting of the connection
        self._known: dict[str, tuple[str, ...]] = {}
        self._statements: dict[tuple[str, ...], str] = {}  # for inserting a row with these columns into a table

    @contextlib.contextmanager
    def open_for_writing(self, refill: Refill, *, checked: bool = False) -> Iterator[None]:
        """Open the index, and rebuild it if it is damaged or has another version.

        With `checked`, all of it is read to find damage. Raises `ReelError` on a disk where SQLite's log is not safe.
        """
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
        """Tell whether this process may write."""
        return self._database is not None

    @contextlib.contextmanager
    def one_write(self, *, wait: bool = True) -> Iterator[None]:
        """Combine all writes of the block in one transaction, with at most one wait for the disk."""
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
        """Execute one write. With `wait`, it survives a loss of power once this returns, unless inside `one_write`."""
        with self._write(wait) as database:
            database.execute(statement, values)

    @contextlib.contextmanager
    def _write(self, wait: bool) -> Iterator[sqlite3.Connection]:
        """Open a transaction, or join the one that `one_write` has begun."""
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
        """Insert a row, or replace the one with its key. Columns that this release does not know are skipped."""
        self._put(table, row, "REPLACE", wait=wait)

    def put_all(self, table: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Insert or replace rows that have the same columns."""
        if rows:
            with self._write(wait=False) as database:
                database.executemany(self._insertion(table, rows[0], "REPLACE"), rows)

    def query(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """Execute one read. The result is empty if there is no index yet. Raises `ReelError` if it is damaged."""
        try:
            if self._database is not None:
                return self._database.execute(statement, values).fetchall()
            if not self.file.exists():
                return []
            return self._reader().execute(statement, values).fetchall()
        except SQL_ERRORS as error:
            raise index_error(self.file, error) from error

    def _reader(self) -> sqlite3.Connection:
        """Return a connection for reading, kept open as long as the index is the same file. Of another version, it
        reads the runs alone."""
        inode = self.file.stat().st_ino
        if self._read is None or self._read[0] != inode:
            database = self._for_reading()
            if version_of(database) != VERSION:
                with contextlib.closing(database) as old:
                    database = runs_in_memory(old)
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
            # A read-only disk has no place for SQLite's shared memory, and no writer either.
            return connect(self.file, "ro&immutable=1")
        return database

    def rows(self, table: str, run: str) -> list[dict[str, JsonValue]]:
        """Return the rows of a run in a table, in the order of writing."""
        columns = self._columns(table)
        found = self.query(f"SELECT {', '.join(columns)} FROM {table} WHERE run = ? ORDER BY rowid", (run,))
        return [dict(zip(columns, row, strict=True)) for row in found]  # type: ignore[arg-type]

    def write_run(self, run: str, file: Path) -> None:
        """Write a run to a file, from which `read_run` restores it.

        The file is a `RunFile`, written row by row: the rows of ten thousand files are too many to hold at once.
        """
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
        """Restore a run from its file. Parts that this release cannot read are skipped."""
        try:
            kept = RunFile.read(file)
        except (OSError, DocumentError):
            return
        for table in RUN_TABLES:
            for row in kept.tables.get(table, ()):
                self.put(table, row)

    def keep_runs(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Write the file of every ended run whose file is damaged or missing.

        Returns the written files, and the damaged ones whose runs are not in the index.
        """
        ended = self.query("SELECT run FROM runs WHERE state != 'running' ORDER BY run")
        known = {folder / f"{run}.json": str(run) for (run,) in ended if is_run(str(run))}
        damaged = [file for file in sorted({*known, *folder.glob("*.json")}) if not _is_run(file)]
        for file in damaged:
            if file in known:
                self.write_run(known[file], file)
        return [file for file in damaged if file in known], [file for file in damaged if file not in known]

    def damage(self) -> str | None:
        """Return the damage that SQLite finds in the file; None if there is none."""
        if not self.file.exists():
            return None
        try:
            with contextlib.closing(self._for_reading()) as database:
                return damage_in(database)
        except SQL_ERRORS as error:
            if not is_damage(error):
                raise index_error(self.file, error) from error
            return str(error)

    def rebuild(self, refill: Refill) -> None:
        """Rebuild the index from files, with the rows of runs that can still be read from the old one."""
        self._writable().close()
        self._database, self._waits = self._rebuilt(refill), None

    def _connect(self, refill: Refill, checked: bool) -> None:
        database = None
        try:
            database = open_index(self.file) if self.file.exists() else None
            if database and checked and damage_in(database):
                database.close()
                database = None
        except SQL_ERRORS as error:
            if not is_damage(error):
                raise  # the disk is full or read-only: the file itself is intact
            if database:
                database.close()
                database = None
        self._database, self._waits = database or self._rebuilt(refill), None

    def _rebuilt(self, refill: Refill) -> sqlite3.Connection:
        """Return a new index.

        It is filled beside the old one and then replaces it, so that a kill in between loses nothing.
        """
        try:
            return self._rebuild_beside(refill)
        except OSError as error:
            raise unusable_index(self.file, f"{error.filename or self.file}: {error.strerror or error}") from error

    def _rebuild_beside(self, refill: Refill) -> sqlite3.Connection:
        new_file = self.file.with_name(f"{self.file.name}.new")
        remove_index(new_file)
        with contextlib.closing(make_index(new_file)) as self._database:
            self._waits = None
            with self.one_write():
                refill(self)
                complete = {str(run) for (run,) in self.query("SELECT run FROM runs")}  # restored from their files
                for table, row in salvaged(self.file):
                    run = str(row.get("run"))
                    if run not in complete and is_run(run) and not row.keys().isdisjoint(self._columns(table)):
                        self._put(table, row, "IGNORE")
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        remove_index(self.file)
        new_file.replace(self.file)
        database = open_index(self.file)
        assert database is not None, "an index that was just made is of another version"
        return database

    def _put(self, table: str, row: Mapping[str, object], conflict: str, *, wait: bool = False) -> None:
        self.execute(self._insertion(table, row, conflict), row, wait=wait)

    def _insertion(self, table: str, row: Iterable[str], conflict: str) -> str:
        """Return the SQL statement for a row with these columns."""
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
