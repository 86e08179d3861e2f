"""Measures each kind of worker: its memory, the seconds of a load and of a job, and the fallback that fits in memory.

The measurements are only hints: without them, jobs are scheduled by what their backends declare.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from pipeline.plan.model import Step
from pipeline.plan.oom_fallback import ladder_name
from shared.documents.base import Document, DocumentError, Frozen

FILE = "observed.json"
_WEIGHT = 0.3  # of the newest job in the running mean
_HEADROOM = 1.1  # above the peak memory that was measured


class Seen(Frozen):
    """Measurements of one kind of worker. Memory is in 10^6 bytes, with some room above the measured peak."""

    load_s: float | None = None
    job_s: float | None = None
    memory_mb: float | None = None
    gpu_mb: float | None = None


class Memories(Document):
    """Content of `observed.json`."""

    kinds: dict[str, Seen] = {}
    rungs: dict[str, str] = {}


class Observed:
    """Measurements of worker kinds, kept in one folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._kinds: dict[str, Seen] = {}
        self.rungs: dict[str, str] = {}
        with contextlib.suppress(OSError, DocumentError):
            memories = Memories.read(self._file)
            self._kinds, self.rungs = dict(memories.kinds), dict(memories.rungs)

    def of(self, pool: str) -> Seen:
        """Return the measurements of a kind."""
        return self._kinds.get(pool, Seen())

    def loaded(self, pool: str, seconds: float) -> None:
        """Record that a worker has loaded a backend."""
        self._update(pool, load_s=seconds)

    def ran(self, pool: str, seconds: float, memory_mb: float | None, gpu_mb: float | None) -> None:
        """Record that a worker has finished a job."""
        seen = self.of(pool)
        mean = seconds if seen.job_s is None else seen.job_s * (1 - _WEIGHT) + seconds * _WEIGHT
        memory = max(seen.memory_mb or 0.0, (memory_mb or 0.0) * _HEADROOM) or None
        gpu = max(seen.gpu_mb or 0.0, (gpu_mb or 0.0) * _HEADROOM) or None
        self._update(pool, job_s=mean, memory_mb=memory, gpu_mb=gpu)

    def fits_on(self, step: Step) -> None:
        """Record that the step succeeded with its fallback after it had run out of memory."""
        if step.rung:
            self.rungs[ladder_name(step)] = step.rung.name

    def save(self) -> None:
        """Save the measurements for the next run."""
        Memories(kinds=self._kinds, rungs=self.rungs).write(self._file)

    def _update(self, pool: str, **values: float | None) -> None:
        self._kinds[pool] = self.of(pool).model_copy(update=values)
