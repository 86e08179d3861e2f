"""PyAV reads the headers of a media file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shared.documents.media import Probe
from shared.stage import Device
from stages.toolkit.media.probe import probe


class PyavProbe:
    """The engine, which holds nothing."""

    def probe(self, media: Path) -> Probe:
        """Describe the tracks of a file."""
        return probe(media)


def load(models: Mapping[str, Path], device: Device) -> PyavProbe:
    """Return the engine."""
    return PyavProbe()
