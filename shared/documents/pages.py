"""The pages of a picture file or a PDF, and the text that was read on them or in the picture of a film."""

from __future__ import annotations

from shared.documents.base import Document, Frozen

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, as parts of the picture: 0 is its left or upper edge, 1 the opposite one."""


class Page(Frozen):
    """One picture that text is read on. `number` counts from 1 in the file; the size is that of the picture, in pixels,
    upright."""

    number: int
    width: int
    height: int


class Pages(Document):
    """The pages that were drawn, in the order of the file, and how many it has."""

    pages: tuple[Page, ...]
    of: int


class TextLine(Frozen):
    """A line of text as it was read. `box` is None where the backend does not tell the place; a line stands on `page`,
    or in the picture of a film from `start_ms` to `end_ms`."""

    text: str
    box: Box | None
    probability: float | None  # None where the backend tells none
    page: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None


class ReadText(Document):
    """All lines that were read in one file, in reading order. `pages` is empty for a film."""

    language: str
    pages: tuple[Page, ...]
    lines: tuple[TextLine, ...]
