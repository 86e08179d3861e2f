"""The nearest of the names there are, for a hint after a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_ALIKE = 0.6  # of 1, difflib's own default: `beem_size` finds `beam_size`, `xyz` finds nothing


def nearest(word: str, known: Iterable[str], alike: float = _ALIKE) -> str | None:
    """Return the name that is most like `word`, whatever its letter case; None where none is like it."""
    names = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), names, n=1, cutoff=alike)
    return names[found[0]] if found else None


def suggestion(word: str, known: Iterable[str], otherwise: str) -> str:
    """Return a hint after a wrong name: the nearest one and what there is, or only what there is."""
    near = nearest(word, known)
    return f"did you mean `{near}`? {otherwise}" if near else otherwise
