"""Read sizes as people write them."""

from __future__ import annotations

import re

_BYTES = {"MB": 10**6, "GB": 10**9, "TB": 10**12}


def size_in(text: str) -> int | None:
    """Return the number of bytes in a text such as `500MB` or `20GB`; None if it is not a size."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([MGT]B)", text.strip().upper())
    return int(float(found[1]) * _BYTES[found[2]]) if found else None
