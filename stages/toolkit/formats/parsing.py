"""Convert the exceptions of a library for a damaged subtitle file to `StageError`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pysubs2

from shared.stage import StageError

# pysubs2 and ttconv raise these for damage: a missing attribute of SAMI is a KeyError, XML of 20,000 levels a
# RecursionError. Found by changing bytes of files at random.
_FOR_DAMAGE = (ValueError, LookupError, ArithmeticError, AttributeError, TypeError, RuntimeError, pysubs2.Pysubs2Error)


@contextmanager
def parsing(what: str, hint: str) -> Iterator[None]:
    """Raise `StageError` for an exception of a library inside: `what` cannot be parsed, and the reason."""
    try:
        yield
    except _FOR_DAMAGE as error:
        raise StageError("check.format", f"{what} cannot be parsed: {_reason(error)}", hint) from error


def _reason(error: Exception) -> str:
    """Return the library's message, after the kind of the error if it is a single word."""
    text = str(error)
    return text if " " in text else f"{type(error).__name__} {text}".strip()
