"""The times at which the picture changes from one shot to the next."""

from __future__ import annotations

from shared.documents.base import Document


class Shots(Document):
    """When each shot but the first begins, in order, and why it was looked for or not. Times count as those of the
    sound do: from the container's own time 0."""

    changes_ms: tuple[int, ...]
    applied: bool
    reason: str
