"""Measurements of the pools of workers: memory, the seconds of a load and of a job, and the fallback that fits.

The measurements are only hints: without them, jobs are scheduled by what their backends declare.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from pipeline.plan.model import Step
from pipeline.plan.oom_fallback import fallback_record_name
from shared.documents.base import Document, DocumentError, Frozen

FILE = "observed.json"
_WEIGHT = 0.3  # of the newest job in the running mean
_HEADROOM = 1.1  # above the peak memory that was measured


class PoolMeasurements(Frozen):
    """Measurements of one pool. Memory is in 10^6 bytes, with some room above the measured peak."""

    load_s: float | None = None
    job_s: float | None = None
    memory_mb: float | None = None
    gpu_mb: float | None = None


class MeasurementsFile(Document):
    """Content of `observed.json`. `kinds` holds the measurements of each pool, `rungs` the fallback of each backend
    that fits. The names of the fields are part of the file's format: a new name would lose what it holds."""

    kinds: dict[str, PoolMeasurements] = {}
    rungs: dict[str, str] = {}


class Measurements:
    """Measurements of all pools, kept in one folder.

    `fallbacks` holds the name of the fallback that a backend with its models is known to fit with.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._pools: dict[str, PoolMeasurements] = {}
        self.fallbacks: dict[str, str] = {}
        with contextlib.suppress(OSError, DocumentError):
            content = MeasurementsFile.read(self._file)
            self._pools, self.fallbacks = dict(content.kinds), dict(content.rungs)

    def of(self, pool: str) -> PoolMeasurements:
        """Return the measurements of a pool."""
        return self._pools.get(pool, PoolMeasurements())

    def record_load(self, pool: str, seconds: float) -> None:
        """Record that a worker has loaded a backend."""
        self._update(pool, load_s=seconds)

    def record_job(self, pool: str, seconds: float, memory_mb: float | None, gpu_mb: float | None) -> None:
        """Record that a worker has finished a job."""
        before = self.of(pool)
        mean_s = seconds if before.job_s is None else before.job_s * (1 - _WEIGHT) + seconds * _WEIGHT
        memory = max(before.memory_mb or 0.0, (memory_mb or 0.0) * _HEADROOM) or None
        gpu = max(before.gpu_mb or 0.0, (gpu_mb or 0.0) * _HEADROOM) or None
        self._update(pool, job_s=mean_s, memory_mb=memory, gpu_mb=gpu)

    def record_fallback(self, step: Step) -> None:
        """Record that the step succeeded with its fallback after it had run out of memory."""
        if step.fallback:
            self.fallbacks[fallback_record_name(step)] = step.fallback.name

    def save(self) -> None:
        """Save the measurements for the next run."""
        MeasurementsFile(kinds=self._pools, rungs=self.fallbacks).write(self._file)

    def _update(self, pool: str, **values: float | None) -> None:
        self._pools[pool] = self.of(pool).model_copy(update=values)
