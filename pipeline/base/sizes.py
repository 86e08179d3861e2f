"""Sizes as people write them."""

from __future__ import annotations

import re

_BYTES = {"MB": 10**6, "GB": 10**9, "TB": 10**12}


def size_in(text: str) -> int | None:
    """Read `500MB` or `20GB` as bytes; None for what is not a size."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([MGT]B)", text.strip().upper())
    return int(float(found[1]) * _BYTES[found[2]]) if found else None
