"""Record the history of runs: the steps that each one ran or reused, with their files, workers and durations.

It is built from the steps that a run reports, and from the events of its workers. When a run ends, and when the next
one finds that it was interrupted, its history is also written to a file, so that the index can be rebuilt.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

from pydantic import JsonValue

from pipeline.base import events
from pipeline.base.display_paths import as_text
from pipeline.base.errors import UsageError
from pipeline.store.place import is_run
from pipeline.store.results import ResultStore

_KEPT_LOGS, _KEPT_LOG_BYTES = 50, 200_000_000
_NAMED = 3  # media files that a list of runs names


@dataclass(frozen=True)
class RunRecord:
    """Record of one call of `reel run`."""

    id: str
    started: str
    finished: str | None
    state: str
    recipe: str
    profile: str
    items: Mapping[str, int] = field(default_factory=dict)  # number of media files by state
    media: tuple[str, ...] = ()  # names of the first of them

    @property
    def seconds(self) -> float | None:
        """Return how long it took; None if it was interrupted or is still at work."""
        if not self.finished:
            return None
        return (datetime.fromisoformat(self.finished) - datetime.fromisoformat(self.started)).total_seconds()


@dataclass(frozen=True)
class ItemOutcome:
    """Result of a media file in a run. `folder` is where it was published; `reason` says why it failed or was
    skipped."""

    item: str
    media: str | None
    folder: str | None
    state: str
    seconds: float | None
    reason: str | None = None


@dataclass(frozen=True)
class StepRecord:
    """Step of a run. Its start and end are wall-clock times, for comparing steps."""

    item: str
    step: str
    backend: str
    key: str | None
    state: str
    seconds: float | None
    started_ms: int | None = None
    ended_ms: int | None = None
    worker: str | None = None


@dataclass(frozen=True)
class WorkerRecord:
    """Worker process of a run."""

    worker: str
    label: str
    host: str
    generation: int
    started_ms: int
    ended_ms: int | None
    reason: str | None
    peak_memory_mb: float | None
    peak_gpu_memory_mb: float | None


@dataclass(frozen=True)
class LoadRecord:
    """Backend with its models that a worker has loaded."""

    worker: str
    stage: str
    backend: str
    models: tuple[str, ...]
    ended_ms: int
    seconds: float
    memory_mb: float | None


@dataclass(frozen=True)
class CardRecord:
    """Card that workers of a run computed on: the peak of the memory in use, by reel and others, in 10^6 bytes, and the
    mean share of the time in which it computed, of measurements ten seconds apart; None if the driver does not tell."""

    host: str
    card: str
    name: str
    total_mb: float
    peak_mb: float
    busy: float | None


@dataclass(frozen=True)
class RunDetails:
    """Complete record of a run."""

    run: RunRecord
    items: tuple[ItemOutcome, ...]
    steps: tuple[StepRecord, ...]
    workers: tuple[WorkerRecord, ...]
    loads: tuple[LoadRecord, ...]
    cards: tuple[CardRecord, ...] = ()


class Runs:
    """History of the runs in one store."""

    def __init__(self, store: ResultStore, logs: Path) -> None:
        self._store, self._logs, self._index = store, logs, store.index
        self._run = ""  # the run of this process, if any
        self._media: dict[str, Path] = {}
        self._errors: dict[str, str] = {}  # by item, of the current run
        self._begun: dict[tuple[str, str], tuple[int, str | None]] = {}
        self._peaks: dict[str, tuple[float, float | None]] = {}
        self._cards: dict[tuple[str, str], list[events.CardMeasured]] = {}  # the measurements of each card, by its host

    def start(self, recipe: str, profile: str) -> str:
        """Begin a run, and close a run that was interrupted. Returns its id; ids sort by time."""
        run = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
        cut_off = [str(row[0]) for row in self._index.query("SELECT run FROM runs WHERE state = 'running'")]
        begun = {"run": run, "started": _now(), "state": "running", "recipe": recipe, "profile": profile}
        with self._index.one_write():
            self._index.execute("UPDATE runs SET state = 'interrupted' WHERE state = 'running'")
            self._index.put("runs", begun)
        for old in cut_off:
            self._keep(old)
        self._run = run
        return run

    def recording(self, emit: Callable[[events.Event], None]) -> Callable[[events.Event], None]:
        """Return a function that records an event and then passes it to `emit`."""

        def both(event: events.Event) -> None:
            self.record_event(event)
            emit(event)

        return both

    def record_event(self, event: events.Event) -> None:
        """Record an event of the current run's items and workers."""
        match event:
            case events.ItemStarted(item, media):
                self._media[item] = media
            case events.StepFailedEvent():
                self._errors.setdefault(event.item, f"{event.step}: {event.message} [{event.code}]")
            case events.ItemFinished(item, state, seconds, folder):
                media_path = self._media.pop(item, None)
                row = {"run": self._run, "item": item, "state": state, "seconds": seconds}
                row |= {"reason": self._errors.pop(item, event.reason or None)}
                places = {"media": media_path and as_text(media_path), "folder": folder and str(folder)}
                self._index.put("run_items", {**row, **places})
            case events.StepStarted():
                self._begun[event.item, event.step] = _clock_ms(), event.worker
            case events.WorkerStarted(worker, label, host, generation):
                row = {"run": self._run, "worker": worker, "label": label, "host": host, "generation": generation}
                self._index.put("run_workers", {**row, "started_ms": _clock_ms()})
            case events.WorkerLoaded(worker, stage, backend, models, seconds, memory_mb):
                row = {"run": self._run, "worker": worker, "stage": stage, "backend": backend}
                measured = {"ended_ms": _clock_ms(), "seconds": seconds, "memory_mb": memory_mb}
                self._index.put("run_loads", {**row, "models": json.dumps(models), **measured})
                self._measured(worker, memory_mb or 0.0, None)
            case events.WorkerMeasured(worker, _, memory_mb, gpu_memory_mb, peak_mb):
                self._measured(worker, max(memory_mb, peak_mb or 0.0), gpu_memory_mb)
            case events.CardMeasured():
                self._card_measured(event)
            case events.WorkerEnded(worker, reason):
                self._worker_ended(worker, reason)
            case _:
                pass

    def record(self, run: str, media_digest: str, step: StepRecord) -> None:
        """Record the outcome of a step."""
        self._index.put("run_steps", self._row(run, media_digest, step))

    def record_all(self, run: str, media_digest: str, steps: Iterable[StepRecord]) -> None:
        """Record the outcomes of several steps of a media file at once."""
        self._index.put_all("run_steps", [self._row(run, media_digest, step) for step in steps])

    def _row(self, run: str, media_digest: str, step: StepRecord) -> dict[str, object]:
        started_ms, worker = self._begun.pop((step.item, step.step), (None, None))
        return {
            "run": run, "item": step.item, "media": media_digest, "step": step.step, "backend": step.backend,
            "key": step.key, "state": step.state, "seconds": step.seconds,
            "started_ms": started_ms, "ended_ms": _clock_ms(), "worker": worker,
        }  # fmt: skip

    def finish(self, run: str, state: str) -> None:
        """Close a run."""
        for worker in list(self._peaks):
            self._worker_ended(worker, "finished")
        self._index.execute("UPDATE runs SET finished = ?, state = ? WHERE run = ?", (_now(), state, run))
        self._keep(run)

    def folder(self, run: str) -> Path:
        """Return the folder of a run's logs."""
        return self._logs / run

    def sweep_logs(self) -> None:
        """Delete the logs of all but the newest runs, and the oldest ones beyond a total size. The newest run always
        keeps its logs."""
        newest_first = sorted(
            (path for path in self._logs.glob("*") if is_run(path.name) and path.is_dir()), reverse=True
        )
        size = 0
        for number, folder in enumerate(newest_first):
            with contextlib.suppress(FileNotFoundError):  # the user may delete logs too
                size += sum(log.stat().st_size for log in folder.glob("*.log"))
            if number and (number >= _KEPT_LOGS or size > _KEPT_LOG_BYTES):
                shutil.rmtree(folder, ignore_errors=True)

    def all(self) -> list[RunRecord]:
        """Return the runs, newest first."""
        rows = self._index.query("SELECT run, started, finished, state, recipe, profile FROM runs ORDER BY run DESC")
        counts: dict[str, dict[str, int]] = {}
        names: dict[str, list[str]] = {}
        for run, item, state in self._index.query("SELECT run, item, state FROM run_items ORDER BY rowid"):
            by_state = counts.setdefault(str(run), {})
            by_state[str(state)] = by_state.get(str(state), 0) + 1
            if len(named := names.setdefault(str(run), [])) < _NAMED:
                named.append(str(item))
        records = [RunRecord(*row) for row in rows]  # type: ignore[arg-type]
        return [
            replace(record, items=counts.get(record.id, {}), media=tuple(names.get(record.id, ())))
            for record in records
        ]

    def details(self, run: str = "") -> RunDetails:
        """Return the record of a run, the newest if none is named, with its steps in the order of their ends.

        The beginning of the run's id is enough. Raises `UsageError` if no run, or more than one, has it.
        """
        known = self.all()
        if not run and not known:
            raise UsageError("runs.none", "there are no runs yet")
        found = [record for record in known if record.id.startswith(run)] if run else known[:1]
        if len(found) != 1:
            what = f"there is no run `{run}`" if not found else f"`{run}` is the beginning of {len(found)} runs' names"
            raise UsageError("runs.unknown", what, hint="`./reel runs list` shows them")
        name = found[0].id
        return RunDetails(
            run=found[0],
            items=tuple(ItemOutcome(**row) for row in self._rows("run_items", name)),  # type: ignore[arg-type]
            steps=tuple(StepRecord(**row) for row in self._rows("run_steps", name, "media")),  # type: ignore[arg-type]
            workers=tuple(WorkerRecord(**row) for row in self._rows("run_workers", name)),  # type: ignore[arg-type]
            loads=tuple(
                LoadRecord(**{**row, "models": tuple(json.loads(str(row["models"])))})  # type: ignore[arg-type]
                for row in self._rows("run_loads", name)
            ),
            cards=tuple(CardRecord(**row) for row in self._rows("run_cards", name)),  # type: ignore[arg-type]
        )

    def last_failed(self) -> list[str]:
        """Return the media files that failed in the newest run with failures, without those that a later run
        finished."""
        rows = self._index.query(
            "SELECT run, media, state FROM run_items WHERE media IS NOT NULL AND state IN ('failed', 'done', 'reused')"
            " ORDER BY run DESC, rowid"
        )
        newest, finished, failed = None, set(), []
        for run, media, state in rows:
            if state != "failed":
                finished.add(str(media))
            elif media not in finished and newest in {None, run}:
                newest = run
                failed.append(str(media))
        return failed

    def redone(self, run: str) -> set[tuple[str, str]]:
        """Return the steps, each with its item, that a run executed although an earlier run had a result for them."""
        rows = self._index.query(
            "SELECT item, step FROM run_steps AS now WHERE run = ? AND state = 'done' AND EXISTS (SELECT 1 FROM"
            " run_steps AS old WHERE old.media = now.media AND old.step = now.step AND old.run < now.run"
            " AND old.key IS NOT NULL)",
            (run,),
        )
        return {(str(item), str(step)) for item, step in rows}

    def last_ingredients(self, media_digest: str, step: str) -> Mapping[str, JsonValue] | None:
        """Return the ingredients of the key that a step had in its last run for a media file; None if it never ran."""
        rows = self._index.query(
            "SELECT key FROM run_steps WHERE media = ? AND step = ? AND key IS NOT NULL"
            " ORDER BY ended_ms DESC, rowid DESC LIMIT 1",
            (media_digest, step),
        )
        for (key,) in rows:
            return self._store.ingredients(str(key))
        return None

    def keys_of(self, media_digest: str) -> set[str]:
        """Return the keys of all results that steps had for a media file in any run."""
        rows = self._index.query(
            "SELECT DISTINCT key FROM run_steps WHERE media = ? AND key IS NOT NULL", (media_digest,)
        )
        return {str(key) for (key,) in rows}

    def _rows(self, table: str, run: str, *without: str) -> list[dict[str, JsonValue]]:
        left_out = {"run", *without}
        return [
            {name: value for name, value in row.items() if name not in left_out} for row in self._index.rows(table, run)
        ]

    def _measured(self, worker: str, memory_mb: float, gpu_memory_mb: float | None) -> None:
        """Record a new peak at once: this process may be killed without notice."""
        memory, gpu = self._peaks.get(worker, (0.0, None))
        if gpu_memory_mb is not None:
            gpu = max(gpu or 0.0, gpu_memory_mb)
        before, self._peaks[worker] = (memory, gpu), (max(memory, memory_mb), gpu)
        if self._peaks[worker] != before:
            self._index.execute(
                "UPDATE run_workers SET peak_memory_mb = ?, peak_gpu_memory_mb = ? WHERE run = ? AND worker = ?",
                (*self._peaks[worker], self._run, worker), wait=False,
            )  # fmt: skip

    def _card_measured(self, new: events.CardMeasured) -> None:
        """Record a measurement of a card at once: this process may be killed without notice."""
        measurements = self._cards.setdefault((new.host, new.card), [])
        measurements.append(new)
        shares = [measured.busy for measured in measurements if measured.busy is not None]
        peak_mb = max(measured.used_mb for measured in measurements)
        row = {"run": self._run, "host": new.host, "card": new.card, "name": new.name, "total_mb": new.total_mb}
        self._index.put("run_cards", {**row, "peak_mb": peak_mb, "busy": fmean(shares) if shares else None})

    def _worker_ended(self, worker: str, reason: str) -> None:
        self._peaks.pop(worker, None)
        self._index.execute(
            "UPDATE run_workers SET ended_ms = ?, reason = ? WHERE run = ? AND worker = ?",
            (_clock_ms(), reason, self._run, worker), wait=False,
        )  # fmt: skip

    def _keep(self, run: str) -> None:
        self._index.write_run(run, self._store.history / f"{run}.json")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000
