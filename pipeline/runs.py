"""The history of runs: which steps each one ran or reused, for which media, and how long that took."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from pipeline.errors import UsageError
from pipeline.result_store import ResultStore

_KEPT_LOGS = 50


@dataclass(frozen=True)
class RunRecord:
    """One call of `reel run`."""

    id: str
    started: str
    finished: str | None
    state: str
    recipe: str
    profile: str


@dataclass(frozen=True)
class StepRecord:
    """One step of a run."""

    item: str
    step: str
    backend: str
    key: str | None
    state: str
    seconds: float | None


class Runs:
    """The runs in one store."""

    def __init__(self, store: ResultStore, logs: Path) -> None:
        self._store, self._logs = store, logs

    def start(self, recipe: str, profile: str) -> str:
        """Begin a run; what an interrupted one left as running is closed. Returns its id, which sorts by time."""
        run = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
        with self._store.one_write():
            self._store.execute("UPDATE runs SET state = 'interrupted' WHERE state = 'running'")
            self._store.execute("INSERT INTO runs VALUES (?, ?, NULL, 'running', ?, ?)", (run, _now(), recipe, profile))
        return run

    def record(self, run: str, media_digest: str, step: StepRecord) -> None:
        """Note what became of a step."""
        self._store.execute(
            "INSERT OR REPLACE INTO run_steps VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (run, step.item, media_digest, step.step, step.backend, step.key, step.state, step.seconds),
        )

    def finish(self, run: str, state: str) -> None:
        """Close a run."""
        self._store.execute("UPDATE runs SET finished = ?, state = ? WHERE id = ?", (_now(), state, run))

    def folder(self, run: str) -> Path:
        """Where a run's logs lie."""
        return self._logs / run

    def sweep_logs(self) -> None:
        """Delete the logs of all but the newest runs."""
        for old in sorted(path for path in self._logs.glob("*") if path.is_dir())[:-_KEPT_LOGS]:
            shutil.rmtree(old, ignore_errors=True)

    def all(self) -> list[RunRecord]:
        """The runs, newest first."""
        rows = self._store.query("SELECT id, started, finished, state, recipe, profile FROM runs ORDER BY id DESC")
        return [RunRecord(*row) for row in rows]  # type: ignore[arg-type]

    def steps(self, run: str) -> list[StepRecord]:
        """The steps of a run; raises `UsageError` when there is no such run."""
        if not self._store.query("SELECT 1 FROM runs WHERE id = ?", (run,)):
            raise UsageError("runs.unknown", f"there is no run `{run}`", hint="`./reel runs list` shows them")
        rows = self._store.query(
            "SELECT item, step, backend, key, state, seconds FROM run_steps WHERE run = ? ORDER BY rowid", (run,)
        )
        return [StepRecord(*row) for row in rows]  # type: ignore[arg-type]

    def last_ingredients(self, media_digest: str, step: str) -> Mapping[str, JsonValue] | None:
        """The ingredients of the key that a step had when it last ran for a media; None when it never did."""
        rows = self._store.query(
            "SELECT key FROM run_steps WHERE media = ? AND step = ? AND key IS NOT NULL ORDER BY rowid DESC LIMIT 1",
            (media_digest, step),
        )
        for (key,) in rows:
            return self._store.ingredients(str(key))
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
