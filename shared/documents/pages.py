"""The pages of a picture file or a PDF, and the text that was recognised on them or in the picture of a film."""

from __future__ import annotations

from shared.documents.base import Document, Frozen

Box = tuple[float, float, float, float]
"""Left, top, right and bottom as parts of the picture: 0 is its left or upper edge, 1 the opposite edge."""


class Page(Frozen):
    """A picture on which text is recognised. `number` counts from 1 in the file. The size is in pixels, after the
    picture was turned upright."""

    number: int
    width: int
    height: int


class Pages(Document):
    """The pages that were rendered, in the order of the file. `of` is the number of all its pages."""

    pages: tuple[Page, ...]
    of: int


class TextLine(Frozen):
    """A recognised line of text. `box` is None if the backend does not report the place. A line is on `page`, or in the
    picture of a film from `start_ms` to `end_ms`."""

    text: str
    box: Box | None
    probability: float | None  # None if the backend does not report it
    page: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None


class ReadText(Document):
    """All recognised lines of one file, in reading order. `pages` is empty for a film."""

    language: str
    pages: tuple[Page, ...]
    lines: tuple[TextLine, ...]
