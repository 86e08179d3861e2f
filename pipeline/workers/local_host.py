"""Prepare workers on this machine: their environment, logs and memory limit, and the resources that they share."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.base import events
from pipeline.base.events import Emit
from pipeline.base.hardware import available_cores, find_memory_mb
from pipeline.base.launcher import BYTECODE, UNCOMPILED
from pipeline.base.nvidia import NO_CARD, VISIBLE, ask_use
from pipeline.base.project import CODE_ROOT, own_config
from pipeline.plan.llm_services import find_key
from pipeline.store.worker_stats import Measurements
from pipeline.workers.capacity import Demand, Host, Placement
from pipeline.workers.card_memory import usable_mb
from pipeline.workers.dispatcher import Dispatcher
from pipeline.workers.installation import Installation
from pipeline.workers.interfaces import WorkerKey
from pipeline.workers.process import Launch, WorkerProcess
from shared.environment_manager import ChildPaths, cache_folders, child_environment

_MEMORY_SHARE = 0.9
_DESKTOP_MB, _DESKTOP_SHARE = 1500.0, 0.1  # of a card, that a desktop and a browser hold all the time
HOST = "local"


class LocalHost:
    """This machine; see `pipeline.workers.interfaces.WorkerHost`."""

    def __init__(self, installed: Installation, logs: Path) -> None:
        self._installed, self._logs = installed, logs
        settings = installed.settings
        self._memory_mb = (find_memory_mb() or 0.0) * _MEMORY_SHARE
        self._cards = installed.hardware.cuda if installed.device == "cuda" else ()
        use = ask_use(os.environ.get("PATH")) if self._cards else {}
        gpus = tuple(usable_mb(card, use.get(card.uuid), ()) for card in self._cards)
        self._host = Host(
            HOST, settings.cpus or available_cores(), self._memory_mb or float("inf"), gpus, settings.labels,
            spare=0 if settings.cpus else 1,  # a number of cores that the user sets is an upper limit
        )  # fmt: skip

    @property
    def hosts(self) -> Sequence[Host]:
        """Return this machine alone."""
        return (self._host,)

    async def measure_cards(self, own: Collection[int], emit: Emit) -> Mapping[int, float]:
        """Look at the cards; see `pipeline.workers.interfaces.WorkerHost`.

        What others have taken meanwhile is not subtracted: a job that was promised a place would wait for ever. It is
        tried, and falls back if it has to.
        """
        use = await asyncio.to_thread(ask_use, os.environ.get("PATH"))
        for card in self._cards:
            if seen := use.get(card.uuid):
                used_mb = seen.total_mb - seen.free_mb
                emit(events.CardMeasured(HOST, card.uuid, card.name, used_mb, seen.total_mb, seen.busy))
        held = {pid: mb for card in use.values() for pid, mb in card.processes.items() if pid in own}
        if held or not own:  # where the driver tells of no process, ours cannot be told from those of others
            now = (usable_mb(card, use[card.uuid], own) if card.uuid in use else 0.0 for card in self._cards)
            self._host = replace(self._host, gpus=tuple(map(max, self._host.gpus, now)))
        return held

    async def is_crowded(self, placement: Placement) -> bool:
        """Tell whether the card holds more than a desktop takes. Asked when no worker of ours is on it any more."""
        uuid = self._cards[placement.gpu].uuid if placement.gpu is not None and self._cards else ""
        use = (await asyncio.to_thread(ask_use, os.environ.get("PATH"))).get(uuid)
        return use is not None and use.total_mb - use.free_mb > max(_DESKTOP_MB, _DESKTOP_SHARE * use.total_mb)

    def make(self, key: WorkerKey, placement: Placement, resident: Demand, name: str) -> WorkerProcess:
        """Return a worker that is not started yet."""
        installed, folders = self._installed, self._installed.folders
        programs = [installed.environments.programs(key.environment)]
        if key.tools:
            programs.insert(0, installed.tools.folder(installed.tool))
        home, cache, scratch = folders.home, folders.cache, folders.scratch
        paths = ChildPaths(CODE_ROOT, cache, tuple(programs), home, scratch)
        # All files of a stage were verified before it starts, so it never needs the network.
        secret = find_key(key.service_key, os.environ, own_config()) if key.service_key else None
        environment = child_environment(
            paths, os.environ, offline=True, threads=key.threads, service_key=secret.value if secret else None
        )
        if UNCOMPILED:
            environment["PYTHONPYCACHEPREFIX"] = str(scratch / BYTECODE)
        if key.device != "cuda":
            environment[VISIBLE] = NO_CARD  # else a library may take memory of the card, or fail over a broken one
        elif placement.gpu is not None:
            # By UUID: CUDA numbers the fastest card first, and the driver's tool by its place on the bus.
            environment[VISIBLE] = self._cards[placement.gpu].uuid or str(placement.gpu)
        log_name = "-".join(part for part in (name, key.environment, *key.tools, key.stage) if part)
        limit_gib = installed.settings.memory_limit_gib
        return WorkerProcess(
            Launch(
                name=key.label,
                python=installed.environments.python(key.environment),
                environment=environment,
                folder=home,
                folders=tuple(cache_folders(cache, scratch)),
                log=self._logs / f"{log_name}.log",
                memory_limit_bytes=int(limit_gib * 2**30 if limit_gib else self._memory_mb * 1e6),
            )
        )


def local_dispatcher(
    installed: Installation, logs: Path, measurements: Measurements | None = None, emit: Emit = lambda event: None
) -> Dispatcher:
    """Return a dispatcher for the project's workers on this machine."""
    host, measurements = LocalHost(installed, logs), measurements or installed.measurements()
    return Dispatcher(host, installed.settings, measurements, emit, installed.card_proofs())
