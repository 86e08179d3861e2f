"""Measurements of the pools of workers: memory, the seconds of a load and of a job, and the fallback that fits.

The measurements are only hints: without them, jobs are scheduled by what their backends declare.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from pipeline.plan.model import Step
from pipeline.plan.oom_fallback import fallback_record_name, fallback_steps
from shared.documents.base import Document, DocumentError, Frozen

FILE = "observed.json"
_WEIGHT = 0.3  # of the newest job in the running mean
_HEADROOM = 1.1  # above the peak memory that was measured
_RUNS_UNTIL_TRIAL = 5  # runs that begin with a fallback before the next better variant is tried again


class PoolMeasurements(Frozen):
    """Measurements of one pool. Memory is in 10^6 bytes, with some room above the measured peak."""

    load_s: float | None = None
    job_s: float | None = None
    memory_mb: float | None = None
    gpu_mb: float | None = None


class KnownFallback(Frozen):
    """The fallback with which a backend fits into the memory of a machine or its cards; an empty name stands for the
    step as requested, after it fitted again. `runs` counts the runs that began with it."""

    backend: str  # see `fallback_record_name`
    cards: str  # empty for the memory of the machine
    name: str
    runs: int = 0


class MeasurementsFile(Document):
    """Content of `observed.json`. `kinds` holds the measurements of each pool; `rungs` held fallbacks in earlier
    releases, and is not read. The names of the fields are part of the file's format."""

    kinds: dict[str, PoolMeasurements] = {}
    rungs: dict[str, str] = {}
    fallbacks: tuple[KnownFallback, ...] = ()


class Measurements:
    """Measurements of all pools, kept in one folder.

    `fallbacks` holds the name of the fallback that a backend with its models is known to fit with on these `cards`,
    which are given by a text that differs for other cards.
    """

    def __init__(self, folder: Path, cards: str = "") -> None:
        self._file, self._cards = folder / FILE, cards
        self._pools: dict[str, PoolMeasurements] = {}
        self._known: list[KnownFallback] = []
        self._begun: set[str] = set()  # backends that began with their fallback in this run
        self._on_trial: dict[str, str] = {}  # the variants that were tried again in this run
        self.fallbacks: dict[str, str] = {}
        with contextlib.suppress(OSError, DocumentError):
            content = MeasurementsFile.read(self._file)
            self._pools, self._known = dict(content.kinds), list(content.fallbacks)
        self.fallbacks |= {
            known.backend: known.name for known in self._known if known.cards == self._cards_of(known.backend)
        }

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

    def record_gpu_memory(self, pool: str, gpu_mb: float) -> None:
        """Record what a worker holds of a card."""
        self._update(pool, gpu_mb=max(self.of(pool).gpu_mb or 0.0, gpu_mb))

    def record_fit(self, step: Step, *, fell: bool) -> None:
        """Record that the step fitted: with its fallback after it had run out of memory, or in a better variant."""
        backend, name = fallback_record_name(step), step.fallback.name if step.fallback else ""
        if fell or self._on_trial.get(backend) == name:
            self._record(backend, name, runs=0)

    def better_variant(self, step: Step) -> Step | None:
        """Return the variant of the step that is next better than the recorded fallback, if it is time to try it again:
        what took the memory may be gone. Each is tried once a run."""
        name = fallback_record_name(step)
        record = self._find(name)
        if record is None or not record.name:
            return None
        self._begun.add(name)
        variants = [step, *fallback_steps(step)]
        names = [variant.fallback.name if variant.fallback else "" for variant in variants]
        if record.runs < _RUNS_UNTIL_TRIAL or record.name not in names or name in self._on_trial:
            return None
        better = names.index(record.name) - 1
        self._on_trial[name] = names[better]
        return variants[better]

    def forget_fallbacks(self) -> int:
        """Forget the fallbacks of all cards, and return their number; they are gone once they are saved."""
        forgotten = sum(bool(known.name) for known in self._known)
        self._known, self._begun = [], set()
        self.fallbacks.clear()
        return forgotten

    def save(self) -> None:
        """Save the measurements for the next run."""
        for name in self._begun:
            if record := self._find(name):
                self._record(name, record.name, record.runs + 1)
        self._begun.clear()
        MeasurementsFile(kinds=self._pools, fallbacks=tuple(self._known)).write(self._file)

    def _cards_of(self, backend: str) -> str:
        return self._cards if backend.endswith("/cuda") else ""

    def _find(self, backend: str) -> KnownFallback | None:
        cards = self._cards_of(backend)
        return next((known for known in self._known if (known.backend, known.cards) == (backend, cards)), None)

    def _record(self, backend: str, name: str, runs: int) -> None:
        cards = self._cards_of(backend)
        self._known = [known for known in self._known if (known.backend, known.cards) != (backend, cards)]
        self._known.append(KnownFallback(backend=backend, cards=cards, name=name, runs=runs))
        self.fallbacks[backend] = name

    def _update(self, pool: str, **values: float | None) -> None:
        self._pools[pool] = self.of(pool).model_copy(update=values)
