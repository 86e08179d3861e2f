"""Define the index file: its tables, how it is opened, and how damage is recognised."""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from pipeline.base.errors import ReelError

VERSION = 7
_SCHEMA = """
CREATE TABLE IF NOT EXISTS results (
    key TEXT PRIMARY KEY, stage TEXT NOT NULL, backend TEXT NOT NULL, bytes INTEGER NOT NULL, seconds REAL NOT NULL);
CREATE TABLE IF NOT EXISTS media (
    device INTEGER, inode INTEGER, size INTEGER, modified_ns INTEGER, changed_ns INTEGER, sha256 TEXT NOT NULL,
    PRIMARY KEY (device, inode));
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
    reason TEXT, PRIMARY KEY (run, item));
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
CREATE TABLE IF NOT EXISTS run_cards (
    run TEXT NOT NULL, host TEXT NOT NULL, card TEXT NOT NULL, name TEXT NOT NULL, total_mb REAL NOT NULL,
    peak_mb REAL NOT NULL, busy REAL, PRIMARY KEY (run, host, card));
CREATE TABLE IF NOT EXISTS run_loads (
    run TEXT NOT NULL, worker TEXT NOT NULL, stage TEXT NOT NULL, backend TEXT NOT NULL, models TEXT NOT NULL,
    ended_ms INTEGER NOT NULL, seconds REAL NOT NULL, memory_mb REAL, PRIMARY KEY (run, worker, stage, backend));
"""
RUN_TABLES = ("runs", "run_items", "run_steps", "run_workers", "run_cards", "run_loads")

OTHER_PLACE = (
    "make it writable, free some space, or choose another place with `--set results_dir=...`, or for the index alone"
    " with `--set index_dir=...`; what is stored is kept"
)
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_FORMAT}
SQL_ERRORS = (sqlite3.DatabaseError, UnicodeDecodeError)  # the second if a message of SQLite's contains damaged names


def is_damage(error: Exception) -> bool:
    """Tell whether the file itself is damaged, rather than the disk full or the file locked."""
    return isinstance(error, UnicodeDecodeError) or getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE


def index_error(file: Path, error: Exception) -> ReelError:
    """Return the error for an index that SQLite cannot use."""
    if is_damage(error):
        return ReelError(
            "results.damaged",
            f"the index {file} is damaged: {error}",
            hint="`./reel runs repair` rebuilds it from the results themselves; no result is lost",
        )
    for place in _files(file):
        if place.is_dir():
            return unusable_index(file, f"{place} is a folder, expected a file")
        if place.exists() and not os.access(place, os.R_OK | os.W_OK):
            return unusable_index(file, f"this user may not read and write {place}")
    return ReelError("results.unwritable", f"the index {file} cannot be used: {error}", hint=OTHER_PLACE)


def unusable_index(file: Path, why: str) -> ReelError:
    """Return the error for an index that cannot be used for another reason than damage."""
    return ReelError(
        "results.unwritable",
        f"the index {file} cannot be used: {why}",
        hint="move that away, or give this user the right to it; the next command then rebuilds the index from the"
        " results, and no result is lost",
    )


def connect(file: Path, mode: str = "rwc") -> sqlite3.Connection:
    """Connect to the file. Damaged text is read with replacement characters, instead of raising an exception."""
    database = sqlite3.connect(f"{file.as_uri()}?mode={mode}", uri=True, timeout=10)
    database.text_factory = functools.partial(str, encoding="utf-8", errors="replace")
    return database


def open_index(file: Path) -> sqlite3.Connection | None:
    """Open the index; None if it is empty or has another version. Raises `sqlite3.DatabaseError`."""
    database = connect(file)
    try:
        if version_of(database) != VERSION:
            database.close()
            return None
        database.execute("PRAGMA journal_mode=WAL")
        if _schema_of(database) != _schema():
            database.close()
            return None
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            database.execute(f"SELECT * FROM {name} LIMIT 1").fetchall()
    except SQL_ERRORS:
        database.close()
        raise
    return database


def make_index(file: Path) -> sqlite3.Connection:
    """Create an empty index."""
    database = connect(file)
    database.execute("PRAGMA journal_mode=WAL")
    database.executescript(_SCHEMA)
    database.execute(f"PRAGMA user_version={VERSION}")
    return database


def runs_in_memory(old: sqlite3.Connection) -> sqlite3.Connection:
    """Return a copy in memory of the runs of an index that has another version, with the tables of this release.

    Only a writer may rebuild the file; until then, those who read find the runs here.
    """
    database = sqlite3.connect(":memory:")
    database.executescript(_SCHEMA)
    columns = {
        table: {str(column[1]) for column in database.execute(f"PRAGMA table_info({table})")} for table in RUN_TABLES
    }
    for table, row in _rows_of_runs(old):
        names = [name for name in row if name in columns[table]]
        if names:
            marks = ", ".join(f":{name}" for name in names)
            database.execute(f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({marks})", row)
    return database


def _schema_of(database: sqlite3.Connection) -> set[str]:
    return {str(row[0]) for row in database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}


@functools.cache
def _schema() -> set[str]:
    """Return the statements of the schema in the form that SQLite keeps."""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.executescript(_SCHEMA)
        return _schema_of(database)


def damage_in(database: sqlite3.Connection) -> str | None:
    """Return the damage that SQLite finds in the whole index; None if there is none."""
    if version_of(database) == VERSION and _schema_of(database) != _schema():
        return "its tables are not those of this release"
    found = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
    return None if found == "ok" else found.splitlines()[-1]  # skips the line with the name of the database


def version_of(database: sqlite3.Connection) -> int:
    """Return the version of the tables. Raises `sqlite3.DatabaseError` if the file is not a database."""
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def salvaged(file: Path) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the rows of runs that can still be read from a damaged index, or from one of another version."""
    if not file.exists():
        return
    try:
        with contextlib.closing(connect(file, "ro")) as old:
            yield from _rows_of_runs(old)
    except SQL_ERRORS:
        return


def _rows_of_runs(old: sqlite3.Connection) -> Iterator[tuple[str, dict[str, object]]]:
    for table in RUN_TABLES:
        yield from _readable(old, table)


def _readable(old: sqlite3.Connection, table: str) -> Iterator[tuple[str, dict[str, object]]]:
    try:
        cursor = old.execute(f"SELECT * FROM {table}")
        columns = [column[0] for column in cursor.description]
        for row in cursor:
            yield table, dict(zip(columns, row, strict=True))
    except SQL_ERRORS:
        return


def remove_index(file: Path) -> None:
    """Remove the index with the files of SQLite beside it."""
    for place in _files(file):
        place.unlink(missing_ok=True)


def _files(file: Path) -> list[Path]:
    """Return the database file, and the files that SQLite puts beside it."""
    return [file.with_name(file.name + suffix) for suffix in ("", "-wal", "-shm")]
