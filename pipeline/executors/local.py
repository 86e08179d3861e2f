"""Workers on this machine: started on demand, kept warm, given out one job at a time, within the cores there are.

A backend with models has a worker of its own, which holds them. Backends without models hold nothing worth keeping
apart, so those of one environment share a worker: a chain of small steps then pays for one process instead of six.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.environments import Environments
from pipeline.plan import Step
from pipeline.project import CODE_ROOT, Project
from pipeline.tools import Tool, Tools
from pipeline.worker import Launch, OnEvent, Worker
from shared import protocol
from shared.environment_manager import ChildPaths, cache_folders, child_environment
from shared.stage import Option

_LOAD_LIMIT_S = 600.0
_MEMORY_SHARE = 0.9


@dataclass(frozen=True)
class WorkerKey:
    """What a worker can be used again for. Load-time choices only; parameters of a job are not in it."""

    environment: str
    stage: str  # empty for a worker that backends without models share
    backend: str
    models: tuple[tuple[str, str], ...]
    tools: tuple[str, ...]
    device: str
    threads: int
    options: tuple[tuple[str, Option], ...] = ()


@dataclass
class _Slot:
    """A worker, whether it is at work, and what it has loaded."""

    worker: Worker
    busy: bool = False
    loaded: set[tuple[str, str]] = field(default_factory=set)


class _Cores:
    """How many cores are granted. A grant is all or nothing, and nobody holds one while waiting for another."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def grant(self, wanted: int) -> AsyncIterator[int]:
        count = min(wanted, self.total)
        async with self._changed:
            await self._changed.wait_for(lambda: self._free >= count)
            self._free -= count
        try:
            yield count
        finally:
            async with self._changed:
                self._free += count
                self._changed.notify_all()


class LocalExecutor:
    """Runs steps in worker processes. `close` ends all of them; use it as an asynchronous context."""

    def __init__(self, project: Project, environments: Environments, tools: Tools, tool: Tool, logs: Path) -> None:
        self._project, self._environments, self._tools, self._tool, self._logs = (
            project,
            environments,
            tools,
            tool,
            logs,
        )
        self._cores = _Cores(project.settings.cpus or os.cpu_count() or 1)
        self._slots: dict[WorkerKey, list[_Slot]] = {}
        self._job_ids = itertools.count(1)
        self._names = itertools.count(1)

    async def __aenter__(self) -> LocalExecutor:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def run(
        self,
        step: Step,
        models: Mapping[str, Path],
        inputs: protocol.FileNames,
        out_dir: Path,
        limit_s: float,
        on_start: Callable[[], None],
        on_event: OnEvent,
    ) -> protocol.Done:
        """Do one step's work. `models` maps roles to verified snapshots. Raises `StageRefused` or a `StepFailed`."""
        async with self._cores.grant(step.backend.resources.cpus) as threads:
            on_start()
            slot = await self._take(step, threads)
            try:
                await self._load(slot, step, models, threads)
                request = protocol.Run(
                    id=next(self._job_ids),
                    stage=step.stage.name,
                    backend=step.backend_name,
                    inputs=inputs,
                    params=step.params.model_dump(mode="json"),
                    out_dir=str(out_dir),
                )
                return await slot.worker.run(request, limit_s * self._project.settings.time_limit_factor, on_event)
            finally:
                slot.busy = False
                if not slot.worker.usable:
                    await self._drop(slot)

    async def close(self) -> None:
        """End all workers, politely where they are idle."""
        slots = [slot for group in self._slots.values() for slot in group]
        self._slots = {}
        await asyncio.gather(*(slot.worker.kill() if slot.busy else slot.worker.stop() for slot in slots))

    async def _take(self, step: Step, threads: int) -> _Slot:
        key = self._key(step, threads)
        group = self._slots.setdefault(key, [])
        for slot in group:
            if not slot.busy and slot.worker.usable:
                slot.busy = True
                return slot
        slot = _Slot(await Worker.start(self._launch(step, key)), busy=True)
        group.append(slot)
        return slot

    async def _load(self, slot: _Slot, step: Step, models: Mapping[str, Path], threads: int) -> None:
        pair = step.stage.name, step.backend_name
        if pair in slot.loaded:
            return
        request = protocol.Load(
            stage=step.stage.name,
            stage_module=step.stage.module,
            backend=step.backend_name,
            backend_module=step.backend.module,
            models={role: str(path) for role, path in models.items()},
            device=step.device or self._project.settings.device,
            threads=threads,
            options=dict(step.load_options),
        )
        await slot.worker.load(request, _LOAD_LIMIT_S * self._project.settings.time_limit_factor)
        slot.loaded.add(pair)

    async def _drop(self, slot: _Slot) -> None:
        for group in self._slots.values():
            if slot in group:
                group.remove(slot)
        await slot.worker.kill()

    def _key(self, step: Step, threads: int) -> WorkerKey:
        models = tuple(sorted(step.models.items()))
        options = tuple(sorted(step.load_options.items()))
        stage, backend = (step.stage.name, step.backend_name) if models or options else ("", "")
        return WorkerKey(
            environment=step.backend.environment,
            stage=stage,
            backend=backend,
            models=models,
            tools=step.backend.tools,
            device=step.device or self._project.settings.device,
            threads=threads if models else 1,
            options=options,
        )

    def _launch(self, step: Step, key: WorkerKey) -> Launch:
        family = step.backend.environment
        programs = [self._environments.programs(family)]
        if key.tools:
            programs.insert(0, self._tools.folder(self._tool))
        home, cache, scratch = self._project.home, self._project.cache, self._project.scratch
        for folder in (home, *cache_folders(cache, scratch)):
            folder.mkdir(parents=True, exist_ok=True)
        paths = ChildPaths(CODE_ROOT, cache, tuple(programs), home, scratch)
        name = f"{step.stage.name} ({step.backend_name})"
        log_name = f"{next(self._names):02d}-{'-'.join([family, *key.tools, key.stage]).rstrip('-')}.log"
        return Launch(
            name=name,
            python=self._environments.python(family),
            # Everything a stage is given was verified before it starts, so it never needs the network.
            environment=child_environment(paths, os.environ, offline=True, threads=key.threads),
            folder=home,
            log=self._logs / log_name,
            memory_limit_bytes=self._memory_limit(),
        )

    def _memory_limit(self) -> int:
        wanted = self._project.settings.memory_limit_gib
        if wanted:
            return int(wanted * 2**30)
        try:
            return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * _MEMORY_SHARE)
        except (ValueError, OSError, AttributeError):
            return 0
