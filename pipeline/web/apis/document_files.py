"""Tells files with pages from films by their first bytes."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.web.refused import Refused

_HEAD = 1024  # readers take the header of a PDF anywhere in the first kilobyte
_PICTURE = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|BM.{12}[\x0c\x28-\x7c]\0\0\0|II\*\0|MM\0\*|RIFF.{4}WEBP"
    rb"|.{4}ftyp(?:avif|avis|heic|heix|mif1)",
    re.DOTALL,
)


def is_document(media: Path) -> bool:
    """Tell whether a file is a PDF or a picture. Raises `Refused` where it cannot be read."""
    try:
        with media.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError as error:
        raise Refused(404, "media.missing", "the file cannot be read") from error
    return b"%PDF-" in head or _PICTURE.match(head) is not None
