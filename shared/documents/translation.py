"""A transcript in another language, segment by segment."""

from __future__ import annotations

from pydantic import Field

from shared.documents.base import Document, Frozen


class TranslatedSegment(Frozen):
    """The text of the transcript's segment `id` in the target language. `unsure` says that the model doubts it."""

    id: int
    text: str
    unsure: bool = Field(default=False, exclude_if=lambda unsure: not unsure)


class Translation(Document):
    """One translated segment for each segment of the transcript, in its order. Languages are BCP-47."""

    source: str
    target: str
    segments: tuple[TranslatedSegment, ...]
