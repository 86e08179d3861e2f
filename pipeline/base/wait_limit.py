"""Read the time that a command waits for another process, as users write it. Standard library only, since the parser of
the command line uses it."""

from __future__ import annotations

import math
import re

FOREVER = "forever"
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
_LIMIT = re.compile(r"(\d+)([smhd]?)")


def is_wait_limit(text: str) -> bool:
    """Tell whether a text is a limit like `10m`, or `forever`."""
    return text == FOREVER or bool(_LIMIT.fullmatch(text))


def wait_limit_s(text: str) -> float:
    """Return the seconds in `90s`, `10m`, `2h`, `1d` or `forever`; 0 for an empty text. Raises `ValueError`."""
    if text in {"", FOREVER}:
        return math.inf if text else 0.0
    if found := _LIMIT.fullmatch(text):
        return int(found[1]) * _UNITS[found[2]]
    raise ValueError(f"expected a time like `90s`, `10m` or `2h`, or `{FOREVER}`")
