"""Open the dispatcher of a run, on this machine or on the cluster that the settings name."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from pipeline.base.events import Emit
from pipeline.store.worker_stats import Measurements
from pipeline.workers.dispatcher import Dispatcher
from pipeline.workers.installation import Installation
from pipeline.workers.local_host import local_dispatcher


@contextlib.asynccontextmanager
async def open_dispatcher(
    installed: Installation, logs: Path, measurements: Measurements, emit: Emit
) -> AsyncIterator[Dispatcher]:
    """Yield the dispatcher of a run, and end all its workers on exit."""
    settings = installed.settings
    if not settings.cluster:
        async with local_dispatcher(installed, logs, measurements, emit) as dispatcher:
            yield dispatcher
        return
    from pipeline.workers.ray.host import RayHost  # Ray is in the environment `cluster` alone

    async with RayHost(installed, logs, emit) as host, Dispatcher(host, settings, measurements, emit) as dispatcher:
        host.on_change = dispatcher.hosts_changed
        yield dispatcher
