"""Describe a media file by its headers, read with PyAV."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shared.documents.media import Probe
from shared.stage import Device
from stages.toolkit.media.probe import probe


class PyavProbe:
    """The engine, without state."""

    def probe(self, media: Path) -> Probe:
        """Return the tracks of a file."""
        return probe(media)


def load(models: Mapping[str, Path], device: Device) -> PyavProbe:
    """Return the engine; there is no model to load."""
    return PyavProbe()
