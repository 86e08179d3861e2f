"""The levels of two channels over time, for recordings with one person on each channel."""

from __future__ import annotations

from shared.documents.base import Document


class ChannelLevels(Document):
    """Levels in dB of full scale: one for each frame of `frame_ms`, from the beginning of the sound."""

    frame_ms: int
    left: tuple[int, ...]
    right: tuple[int, ...]
