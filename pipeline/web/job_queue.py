"""Keeps the queue of jobs in an SQLite file, so that jobs survive the end of the server and of the process that works.

A write is on the disk when the method returns. One server has the queue at a time, by a lock beside the file.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
import time
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from pydantic import JsonValue

from pipeline.base.errors import Locked, ReelError

VERSION = 5
State = Literal["queued", "running", "done", "failed", "skipped", "cancelled"]
Place = str
"""Where results are published: `out`, the output folder; `beside` the media file; `answers`, a folder of the server's
own; or the absolute path of another output folder."""
STATES: tuple[State, ...] = ("queued", "running", "done", "failed", "skipped", "cancelled")
KEPT = 10_000
"""So many ended jobs are remembered."""
ENDED: frozenset[State] = frozenset({"done", "failed", "skipped", "cancelled"})

_COLUMNS = (
    "id, media, label, overrides, place, priority, source, state, attempts, created_ms, started_ms, ended_ms, folder,"
    " files, error, reason, corrections"
)
_JSON_COLUMNS = {"overrides", "files", "error"}
_JSON_OUTCOME = {"files", "error", "work"}
_AS_JSON = "json_object({}, 'recipe', json_extract(overrides, '$.recipe'))".format(
    ", ".join(f"'{name}', {f'json({name})' if name in _JSON_COLUMNS else name}" for name in _COLUMNS.split(", "))
)
# A page reads ten thousand jobs at once: the text of each is kept as the list shows it, which takes a quarter of the
# time of making it.
_LISTED = f"""
CREATE TABLE listed (number INTEGER PRIMARY KEY, text TEXT NOT NULL);
INSERT INTO listed SELECT number, {_AS_JSON} FROM jobs;
CREATE TRIGGER job_added AFTER INSERT ON jobs BEGIN
    INSERT INTO listed SELECT number, {_AS_JSON} FROM jobs WHERE number = NEW.number; END;
CREATE TRIGGER job_changed AFTER UPDATE ON jobs BEGIN
    UPDATE listed SET text = (SELECT {_AS_JSON} FROM jobs WHERE number = NEW.number) WHERE number = NEW.number; END;
CREATE TRIGGER job_forgotten AFTER DELETE ON jobs BEGIN DELETE FROM listed WHERE number = OLD.number; END;
"""
_SCHEMA = f"""
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, media TEXT NOT NULL, label TEXT NOT NULL,
    overrides TEXT NOT NULL, place TEXT NOT NULL, priority REAL NOT NULL, source TEXT NOT NULL, same TEXT NOT NULL,
    state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, created_ms INTEGER NOT NULL, started_ms INTEGER,
    ended_ms INTEGER, folder TEXT, files TEXT NOT NULL DEFAULT '[]', error TEXT, reason TEXT NOT NULL DEFAULT '',
    work TEXT, corrections TEXT);
CREATE INDEX jobs_next ON jobs (state, priority DESC, number);
CREATE INDEX jobs_same ON jobs (same, state);
CREATE INDEX IF NOT EXISTS jobs_ended ON jobs (ended_ms DESC, number DESC);
{_LISTED}
"""
_TO_VERSION = {  # from the version before
    2: "ALTER TABLE jobs ADD COLUMN work TEXT;", 3: "ALTER TABLE jobs ADD COLUMN corrections TEXT;",
    4: "CREATE INDEX IF NOT EXISTS jobs_ended ON jobs (ended_ms DESC, number DESC);", 5: _LISTED,
}  # fmt: skip


@dataclass(frozen=True)
class NewJob:
    """Job to be queued. `overrides` are settings by dotted names; jobs with one value of `same` would do the same.
    `corrections` is a file with an order of `pipeline.publishing.edit_order`."""

    media: Path
    label: str
    overrides: Mapping[str, JsonValue]
    place: Place
    source: str
    same: str
    priority: float = 0.0
    corrections: Path | None = None


@dataclass(frozen=True)
class Job:
    """Job in the queue. `error` holds `code`, `message` and `hint`; `reason` says why it was skipped."""

    id: str
    media: str
    label: str
    overrides: dict[str, JsonValue]
    place: Place
    priority: float
    source: str
    state: State
    attempts: int
    created_ms: int
    started_ms: int | None
    ended_ms: int | None
    folder: str | None
    files: list[str]
    error: dict[str, str | None] | None
    reason: str
    corrections: str | None = None

    @property
    def has_ended(self) -> bool:
        """Tell whether nothing more will be done for the job."""
        return self.state in ENDED


class JobQueue:
    """Queue in one file. Raises `Locked` if another server has it, `ReelError` if the file cannot be used."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / "serve.lock", timeout=0)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise Locked(
                "serve.locked", f"another `reel serve` uses the queue in {folder}",
                hint="end it, or give this one results of its own with `--set results_dir=...`",
            ) from error  # fmt: skip
        self._file = folder / "queue.sqlite"
        with contextlib.ExitStack() as undo:
            undo.callback(self._lock.release)
            self._database = _open(self._file)
            undo.pop_all()

    def close(self) -> None:
        """Close the file, and let another server have it."""
        self._database.close()
        self._lock.release()

    def add(self, new: NewJob) -> Job:
        """Queue a job, or return the job that is queued or running already and does the same."""
        with self._writing():
            row = self._database.execute(
                f"SELECT {_COLUMNS} FROM jobs WHERE same = ? AND state IN ('queued', 'running') LIMIT 1", (new.same,)
            ).fetchone()
            if row:
                return _job(row)
            name = secrets.token_hex(8)
            self._database.execute(
                "INSERT INTO jobs (id, media, label, overrides, place, priority, source, same, state, created_ms,"
                " corrections) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?)",
                (name, str(new.media), new.label, json.dumps(new.overrides), new.place, new.priority, new.source,
                 new.same, _now_ms(), str(new.corrections) if new.corrections else None),
            )  # fmt: skip
        return self.job(name)

    def done(self, same: str) -> Job | None:
        """Return the newest job that has done the same; None if there is none."""
        row = self._database.execute(
            f"SELECT {_COLUMNS} FROM jobs WHERE same = ? AND state = 'done' ORDER BY number DESC LIMIT 1", (same,)
        ).fetchone()
        return _job(row) if row else None

    def job(self, name: str) -> Job:
        """Return the job with this id. Raises `KeyError`."""
        row = self._database.execute(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", (name,)).fetchone()
        if row is None:
            raise KeyError(name)
        return _job(row)

    def work(self, name: str) -> dict[str, Any] | None:
        """Return how far a job came in its last attempt; None if that is not known."""
        row = self._database.execute("SELECT work FROM jobs WHERE id = ?", (name,)).fetchone()
        found: dict[str, Any] | None = json.loads(row[0]) if row and row[0] else None
        return found

    def find(self, name: str) -> Job | None:
        """Return the job with this id; None if it is not known. Any thread may call this."""
        with self._reading() as database:
            row = database.execute(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", (name,)).fetchone()
        return _job(row) if row else None

    def jobs(self, states: Collection[State] = (), limit: int = -1) -> list[Job]:
        """Return the jobs in these states, or all: those at work, then those queued in their order, then the rest,
        newest first."""
        found = [job for where in _orders(states) for job in self._select(where, limit)]
        return found if limit < 0 else found[:limit]

    def listed(self, states: Collection[State] = (), limit: int = -1, name: str = "") -> str:
        """Return the same jobs as a JSON array of what `job_data` returns, or those with `name` in their label, in
        capitals or not. Any thread may call this, and no other waits for it."""
        found: list[str] = []
        named = "holds(label) AND " if name else ""
        with self._reading() as database:
            database.create_function("holds", 1, lambda label: _folded(name) in _folded(label))
            for where in _orders(states):
                rows = database.execute(
                    f"SELECT text FROM jobs JOIN listed USING (number) WHERE {named}{where} LIMIT ?", (limit,)
                )
                found += [row[0] for row in rows]
        return f"[{','.join(found if limit < 0 else found[:limit])}]"

    def counts(self) -> dict[str, int]:
        """Return the number of jobs by state."""
        return dict(self._database.execute("SELECT state, count(*) FROM jobs GROUP BY state").fetchall())

    def next(self) -> Job | None:
        """Return the queued job whose turn it is; None if none is queued."""
        found = self._select("state = 'queued' ORDER BY priority DESC, number", 1)
        return found[0] if found else None

    def begin(self, name: str) -> Job:
        """Note that work on a queued job begins."""
        self._set(name, "state = 'running', attempts = attempts + 1, started_ms = ?, ended_ms = NULL", _now_ms())
        return self.job(name)

    def end(self, name: str, state: State, **more: object) -> Job:
        """Note the outcome of a job: `folder`, `files`, `error` and `reason`, as the fields of `Job`, and `work`, which
        `work` returns."""
        values = {key: json.dumps(value) if key in _JSON_OUTCOME else value for key, value in more.items()}
        columns = "".join(f", {key} = ?" for key in values)
        self._set(name, f"state = ?, ended_ms = ?{columns}", state, _now_ms(), *values.values())
        return self.job(name)

    def again(self, name: str, *, counts: bool = True) -> Job:
        """Queue a job again. Its place among the others stays. Without `counts`, its last attempt is not counted."""
        attempts = "" if counts else ", attempts = max(attempts - 1, 0)"
        self._set(name, f"state = 'queued', started_ms = NULL, ended_ms = NULL, error = NULL, reason = ''{attempts}")
        return self.job(name)

    def retry(self, name: str) -> Job:
        """Queue a job that has failed or was cancelled, with its attempts counted from 0."""
        self._set(name, "attempts = 0")
        return self.again(name)

    def place_at(self, name: str, priority: float) -> Job:
        """Change the priority of a job."""
        self._set(name, "priority = ?", priority)
        return self.job(name)

    def recover(self) -> list[Job]:
        """Queue the jobs again that were at work when the last server ended. Their finished steps are reused."""
        found = self.jobs(["running"])
        return [self.again(job.id, counts=False) for job in found]

    def forget(self, kept: int = KEPT) -> None:
        """Forget all ended jobs but the newest."""
        ended = ", ".join(f"'{state}'" for state in STATES if state in ENDED)
        with self._writing():
            self._database.execute(
                f"DELETE FROM jobs WHERE state IN ({ended}) AND number NOT IN"
                f" (SELECT number FROM jobs WHERE state IN ({ended}) ORDER BY number DESC LIMIT ?)",
                (kept,),
            )

    def uses(self) -> set[str]:
        """Return the media files of all jobs that are not ended."""
        return {row[0] for row in self._database.execute(
            "SELECT media FROM jobs WHERE state IN ('queued', 'running')")}  # fmt: skip

    def _select(self, where: str, limit: int) -> list[Job]:
        rows = self._database.execute(f"SELECT {_COLUMNS} FROM jobs WHERE {where} LIMIT ?", (limit,))
        return [_job(row) for row in rows]

    def _set(self, name: str, assignments: str, *values: object) -> None:
        with self._writing():
            self._database.execute(f"UPDATE jobs SET {assignments} WHERE id = ?", (*values, name))

    def _reading(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """Return a connection of the calling thread's own."""
        return contextlib.closing(sqlite3.connect(f"{self._file.absolute().as_uri()}?mode=ro", uri=True, timeout=10))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with self._database:
                yield
        except sqlite3.DatabaseError as error:
            raise _trouble(self._file, error) from error


def _orders(states: Collection[State]) -> list[str]:
    """Return the conditions that select jobs in these states, or in all, in their order."""
    wanted = [state for state in STATES if state in (states or STATES)]
    found = [f"state = '{state}' ORDER BY priority DESC, number" for state in ("running", "queued") if state in wanted]
    if ended := [f"'{state}'" for state in wanted if state in ENDED]:
        # The plus has SQLite read by the index of ended jobs, rather than sort all of them for the first few.
        found.append(f"+state IN ({', '.join(ended)}) ORDER BY ended_ms DESC, number DESC")
    return found


def _folded(text: str) -> str:
    """Return a text as it is compared: without capitals, and a letter with its accent as one character."""
    return unicodedata.normalize("NFC", text).casefold()


def job_data(job: Job) -> dict[str, Any]:
    """Return a job as JSON for programs."""
    return {**job.__dict__, "recipe": job.overrides.get("recipe")}


def _job(row: Sequence[Any]) -> Job:
    overrides, files, error = json.loads(row[3]), json.loads(row[13]), json.loads(row[14]) if row[14] else None
    values: tuple[Any, ...] = (*row[:3], overrides, *row[4:13], files, error, *row[15:])
    return Job(*values)


def _open(file: Path) -> sqlite3.Connection:
    """Open the file, or make it. A damaged one is moved away."""
    try:
        return _connect(file)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise _trouble(file, error) from error
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    file.replace(file.with_name(f"queue.damaged-{int(time.time())}.sqlite"))
    return _connect(file)


def _connect(file: Path) -> sqlite3.Connection:
    with contextlib.ExitStack() as undo:
        database = undo.enter_context(contextlib.closing(sqlite3.connect(file, timeout=10)))
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        version = int(database.execute("PRAGMA user_version").fetchone()[0])
        if version == 0:
            database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={VERSION}; COMMIT;")
        elif 0 < version < VERSION:
            steps = " ".join(_TO_VERSION[number] for number in range(version + 1, VERSION + 1))
            database.executescript(f"BEGIN; {steps} PRAGMA user_version={VERSION}; COMMIT;")
        elif version != VERSION:
            raise ReelError(
                "serve.queue", f"the queue {file} has version {version}, and this release reads version {VERSION}",
                hint="use the release that made it, or move the file away to begin with an empty queue",
            )  # fmt: skip
        undo.pop_all()
    return database


def _trouble(file: Path, error: sqlite3.DatabaseError) -> ReelError:
    return ReelError(
        "serve.queue", f"the queue {file} cannot be used: {error}",
        hint="free some space, and let this user read and write the file",
    )  # fmt: skip


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
