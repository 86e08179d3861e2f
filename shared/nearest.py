"""Find the name that is most like a wrong one, for a hint."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LEAST_LIKENESS = 0.6  # of 1, difflib's own default: `beem_size` finds `beam_size`, `xyz` finds nothing


def nearest(word: str, known: Iterable[str], likeness: float = _LEAST_LIKENESS) -> str | None:
    """Return the known name that is most like `word`, ignoring letter case; None if none is like it."""
    names = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), names, n=1, cutoff=likeness)
    return names[found[0]] if found else None


def suggestion(word: str, known: Iterable[str], otherwise: str) -> str:
    """Return a hint for a wrong name: the nearest known name, if there is one, and the text `otherwise`."""
    near = nearest(word, known)
    return f"did you mean `{near}`? {otherwise}" if near else otherwise
