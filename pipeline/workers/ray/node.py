"""Actors on a machine of a Ray cluster: one that describes the machine, and one for each stage process.

A stage process runs as on a single machine: with this machine's own environment, cache and limits, and the same
protocol. Ray only places an actor and transports its calls, which hold paths, names and digests.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.base import errors
from pipeline.base.card_support import load_card_libraries, usable_hardware
from pipeline.base.errors import Missing, ReelError, StepFailed
from pipeline.base.hardware import REMEMBERED, card_memory_mb, recall
from pipeline.base.processor import processor_kind
from pipeline.base.project import CODE_ROOT, CONFIG, own_config, project_file
from pipeline.base.settings import load_settings
from pipeline.model_cache.fetch_many import require
from pipeline.workers.capacity import Demand, Placement
from pipeline.workers.installation import Installation, open_installation
from pipeline.workers.interfaces import ResourceUse, WorkerKey
from pipeline.workers.local_host import HOST, LocalHost
from pipeline.workers.process import WorkerProcess
from shared import protocol
from shared.stage import CORE_ENVIRONMENT

_MEASURE_EVERY_S = 2.0
_OUR_PACKAGES = ("pipeline", "shared", "stages", "config")
_CODE_SUFFIXES = {".py", ".lock", ".toml"}
_USER_FILES = "config/own"


@dataclass(frozen=True)
class MachineFacts:
    """A machine's description of itself. `sees` is the content that it read in the run's folder."""

    name: str
    code: str
    cards_mb: tuple[float, ...]
    sees: str | None
    processor: str  # the kind of processor


@dataclass(frozen=True)
class MachineRequirements:
    """The versions that a worker's machine must have, equal to those on the machine that planned the run."""

    environment: str
    torch: str | None
    tool: str | None  # the version of ffmpeg; None if it is not used
    models: Mapping[str, str]  # names by role, each with its digest in `digests`
    digests: Mapping[str, str]
    offline: bool


@dataclass(frozen=True)
class Failure:
    """An error as a value: Ray would wrap an exception in one of its own, and `ReelError` cannot be pickled."""

    kind: str
    code: str
    message: str
    hint: str | None
    log: Path | None
    log_lines: tuple[str, ...] = ()

    def error(self) -> ReelError:
        """Return the exception."""
        kind = getattr(errors, self.kind, StepFailed)
        made: ReelError = kind(self.code, self.message, hint=self.hint, log=self.log)
        made.log_lines = self.log_lines
        return made


WorkerMessage = protocol.Remark | protocol.Done | ResourceUse | Failure | None
"""A message about a job: what it says while it runs, the worker's resource use (None if unknown), and last the
outcome."""


def failure(error: ReelError) -> Failure:
    """Return the error as a value."""
    return Failure(type(error).__name__, error.code, error.message, error.hint, error.log, error.log_lines)


def code_digest(root: Path = CODE_ROOT) -> str:
    """Return a digest of all code and configuration that can change a result.

    The user's own models are left out: each model is compared when it is needed.
    """
    digest = hashlib.sha256()
    for package in _OUR_PACKAGES:
        for path in sorted((root / package).rglob("*")):
            if path.suffix in _CODE_SUFFIXES and path.is_file() and not path.is_relative_to(root / _USER_FILES):
                digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def node_installation() -> Installation:
    """Return the project as this machine's own settings describe it."""
    return open_installation(load_settings(CONFIG / "defaults.toml", project_file(), os.environ, {})[0])


class MachineActor:
    """An actor that describes its machine."""

    async def facts(self, probe: Path) -> MachineFacts:
        """Describe this machine, and read the file `probe`."""
        try:
            sees = probe.read_text(encoding="utf-8")
        except OSError:
            sees = None
        machine = await asyncio.to_thread(recall, own_config() / REMEMBERED, os.environ.get("PATH"))
        # Ray hides all cards from an actor that asks for none.
        cards = usable_hardware(machine, load_card_libraries(CONFIG / "cards.toml"), {}).cuda
        return MachineFacts(
            socket.gethostname(), code_digest(), tuple(map(card_memory_mb, cards)), sees, processor_kind()
        )


class WorkerActor:
    """An actor with one stage process, whose failures are values; see `pipeline.workers.interfaces.WorkerHandle`."""

    def __init__(self, key: WorkerKey, name: str, required: MachineRequirements, logs: Path) -> None:
        self._key, self._name, self._required, self._logs = key, name, required, logs
        self._installed = node_installation()
        self._worker: WorkerProcess | None = None
        self._job: asyncio.Task[protocol.Done] | None = None

    async def start(self) -> Failure | None:
        """Set up what is missing on this machine, and start the process."""
        try:
            await asyncio.to_thread(_prepare, self._installed, self._required)
            host = LocalHost(self._installed, self._logs)
            # Ray has set the variable that names the GPU for this actor, and the process inherits it.
            self._worker = host.make(self._key, Placement(HOST), Demand(), self._name)
            await self._worker.start()
        except ReelError as error:
            return failure(error)
        return None

    async def load(self, request: protocol.Load, limit_s: float) -> protocol.Ready | Failure:
        """Load a backend. The request holds the names of models, which are replaced by this machine's snapshots."""
        snapshots = {role: str(self._installed.models.snapshot(name)) for role, name in request.models.items()}
        try:
            return await self._process.load(request.model_copy(update={"models": snapshots}), limit_s)
        except ReelError as error:
            return failure(error)

    async def run(self, request: protocol.Run, limit_s: float) -> AsyncIterator[WorkerMessage]:
        """Run one job, and yield its messages."""
        messages: asyncio.Queue[protocol.Remark | None] = asyncio.Queue()
        job = self._job = asyncio.create_task(self._process.run(request, limit_s, messages.put_nowait))
        job.add_done_callback(lambda _: messages.put_nowait(None))
        while True:
            try:
                async with asyncio.timeout(_MEASURE_EVERY_S):
                    event = await messages.get()
            except TimeoutError:
                yield self._process.resource_use()
                continue
            if event is None:
                break
            yield event
        yield self._process.resource_use()
        try:
            yield await job
        except ReelError as error:
            yield failure(error)

    async def cancel(self) -> None:
        """Cancel the running job, if there is one, and wait for its end."""
        if self._job and not self._job.done():
            self._job.cancel()
            await asyncio.wait([self._job])

    async def stop(self) -> None:
        """Ask the idle process to exit, and kill it if it does not."""
        await self._process.stop()

    async def kill(self) -> None:
        """Kill the process and every process that it started."""
        if self._worker:
            await self._worker.kill()

    @property
    def _process(self) -> WorkerProcess:
        assert self._worker is not None, "the worker is not started"
        return self._worker


def _prepare(installed: Installation, required: MachineRequirements) -> None:
    """Install the worker's environment, tool and models in exactly the versions of the run's keys. Raises `Missing`."""
    here = socket.gethostname()
    if required.environment != CORE_ENVIRONMENT:
        installed.environments.ensure(required.environment, _ignore, offline=required.offline)
    torch = installed.environments.torch(required.environment) if required.environment != CORE_ENVIRONMENT else None
    if torch != required.torch:
        raise Missing(
            "cluster.torch",
            f"{here} has torch {torch} in the environment {required.environment}, the run was planned with"
            f" {required.torch}",
            hint="set `torch` to the same kind on every machine, `locked` for instance",
        )
    if required.tool is not None:
        installed.tools.ensure(installed.tool, _ignore, offline=required.offline)
        if installed.tool.version != required.tool:
            raise Missing(
                "cluster.tool",
                f"{here} has ffmpeg {installed.tool.version}, the run was planned with {required.tool}",
                hint="have the same ffmpeg on every machine; on machines without one, reel installs its own",
            )
    names = set(required.models.values())
    for name in sorted(names):
        if name not in installed.models.models or installed.models.digest(name) != required.digests[name]:
            raise Missing(
                "cluster.model",
                f"{here} does not know the model {name} with the bytes that the run was planned with",
                hint="have the same locks on every machine, and the same models of your own (`config/own`)",
            )
    require(names, installed.models, _ignore, offline=required.offline)


def _ignore(event: object) -> None:
    """Ignore an event of a machine's set-up, which no reporter shows; a failure is raised as an error."""
