"""Speakers by overlap in time: needs no library, so it is the stage's own function behind the backend's door."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.documents.diarization import Turn
from shared.documents.transcript import Transcript
from shared.stage import Device
from stages.attribute.stage import attribute


class OverlapEngine:
    """Holds nothing."""

    def attribute(self, transcript: Transcript, turns: Sequence[Turn]) -> Transcript:
        """See `stages.attribute.attribute`."""
        return attribute(transcript, turns)


def load(models: Mapping[str, Path], device: Device) -> OverlapEngine:
    """Do nothing: this backend has no model."""
    return OverlapEngine()
