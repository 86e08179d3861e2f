"""The times at which the picture changes from one shot to the next."""

from __future__ import annotations

from shared.documents.base import Document


class Shots(Document):
    """The starts of all shots but the first, in order, on the same clock as the sound: from the container's own time 0.
    `reason` says why shots were detected (`applied`) or not."""

    changes_ms: tuple[int, ...]
    applied: bool
    reason: str
