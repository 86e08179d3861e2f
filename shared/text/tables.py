"""Tables as text, as spreadsheets write them."""

from __future__ import annotations

import re

_SEPARATORS = "\t;,"  # where a comma is the decimal sign, spreadsheets write semicolons
_LINE_END = re.compile(r"[\r\n]")


def separator_of(text: str) -> str:
    """Return the character between the fields of a table: the most frequent separator of its head."""
    return max(_SEPARATORS, key=_LINE_END.split(text, maxsplit=1)[0].count)
