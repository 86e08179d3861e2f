"""Summarises a run in figures: the time of each kind of step, the use of each worker, the loads of each model. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from pipeline.store.history import CardRecord, RunDetails, StepRecord, WorkerRecord

Redone = Collection[tuple[str, str]]
"""Pairs of a file and a step that were done before and done again."""


@dataclass(frozen=True)
class StageFigures:
    """Figures of all steps of one kind with one backend. Seconds are the working time, without waiting for a worker."""

    step: str
    backend: str
    done: int
    redone: int  # of those, how many had been done before
    reused: int
    failed: int
    seconds: float
    longest_s: float
    longest_item: str | None


@dataclass(frozen=True)
class WorkerFigures:
    """Figures of one worker: its life, its working and loading time, and its peak memory."""

    worker: str
    label: str
    host: str
    jobs: int
    lived_s: float
    worked_s: float
    loaded_s: float
    peak_memory_mb: float | None
    peak_gpu_memory_mb: float | None
    reason: str | None


@dataclass(frozen=True)
class ModelFigures:
    """Figures of one model: the number of its loads, and their total time."""

    name: str
    loads: int
    seconds: float


@dataclass(frozen=True)
class Summary:
    """Figures of a run. `seconds` is its duration, or the time until its last event if it has not ended; None if it has
    no event yet."""

    seconds: float | None
    items: Mapping[str, int]  # state to the number of files
    stages: tuple[StageFigures, ...]
    workers: tuple[WorkerFigures, ...]
    models: tuple[ModelFigures, ...]
    cards: tuple[CardRecord, ...] = ()


def summarise(details: RunDetails, redone: Redone = ()) -> Summary:
    """Return the figures of a run. Kinds of steps are in the order in which the first step of each ended."""
    kinds: dict[tuple[str, str], list[StepRecord]] = defaultdict(list)
    for step in details.steps:
        kinds[step.step.partition(":")[0], step.backend].append(step)
    return Summary(
        seconds=_length_s(details),
        items=dict(Counter(item.state for item in details.items)),
        stages=tuple(_stage(*names, steps, redone) for names, steps in kinds.items()),
        workers=tuple(_worker(worker, details) for worker in details.workers),
        models=_models(details),
        cards=details.cards,
    )


def work_s(step: StepRecord) -> float:
    """Return the time in which a worker ran the step; 0 if none did."""
    if step.started_ms is None or step.ended_ms is None:
        return 0.0
    return (step.ended_ms - step.started_ms) / 1000


def last_ms(details: RunDetails, default: int) -> int:
    """Return the time of a run's last event."""
    ends = [step.ended_ms for step in details.steps] + [worker.ended_ms for worker in details.workers]
    ends += [load.ended_ms for load in details.loads]
    return max([end for end in ends if end is not None], default=default)


def _length_s(details: RunDetails) -> float | None:
    began = datetime.fromisoformat(details.run.started).timestamp()
    if details.run.finished:
        return max(datetime.fromisoformat(details.run.finished).timestamp() - began, 0.0)
    last = last_ms(details, 0)
    return max(last / 1000 - began, 0.0) if last else None


def _stage(step: str, backend: str, steps: list[StepRecord], redone: Redone) -> StageFigures:
    states = Counter(record.state for record in steps)
    longest = max(steps, key=work_s)
    return StageFigures(
        step=step,
        backend=backend,
        done=states["done"],
        redone=sum((record.item, record.step) in redone for record in steps),
        reused=states["reused"],
        failed=states["failed"],
        seconds=sum(map(work_s, steps)),
        longest_s=work_s(longest),
        longest_item=longest.item if work_s(longest) else None,
    )


def _worker(worker: WorkerRecord, details: RunDetails) -> WorkerFigures:
    jobs = [step for step in details.steps if step.worker == worker.worker]
    ended_ms = worker.ended_ms or last_ms(details, worker.started_ms)
    return WorkerFigures(
        worker=worker.worker,
        label=worker.label,
        host=worker.host,
        jobs=len(jobs),
        lived_s=(ended_ms - worker.started_ms) / 1000,
        worked_s=sum(map(work_s, jobs)),
        loaded_s=sum(load.seconds for load in details.loads if load.worker == worker.worker),
        peak_memory_mb=worker.peak_memory_mb,
        peak_gpu_memory_mb=worker.peak_gpu_memory_mb,
        reason=worker.reason,
    )


def _models(details: RunDetails) -> tuple[ModelFigures, ...]:
    found: dict[str, list[float]] = defaultdict(list)
    for load in details.loads:
        for name in load.models:
            found[name].append(load.seconds)
    return tuple(ModelFigures(name, len(seconds), sum(seconds)) for name, seconds in found.items())
