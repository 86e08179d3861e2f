"""Turns what a library raises for a damaged subtitle file into the error of this project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pysubs2

from shared.stage import StageError

# pysubs2 and ttconv raise these for the first damage that they meet: a missing attribute of SAMI is a KeyError, XML in
# 20,000 levels a RecursionError. Found by changing bytes of files at random.
_FOR_DAMAGE = (ValueError, LookupError, ArithmeticError, AttributeError, TypeError, RuntimeError, pysubs2.Pysubs2Error)


@contextmanager
def parsing(what: str, hint: str) -> Iterator[None]:
    """Raise `StageError` for what a library raises inside: `what` cannot be parsed, and why."""
    try:
        yield
    except _FOR_DAMAGE as error:
        raise StageError("check.format", f"{what} cannot be parsed: {_reason(error)}", hint) from error


def _reason(error: Exception) -> str:
    """Return the library's sentence, after the kind of the error where it is no sentence but a bare name."""
    text = str(error)
    return text if " " in text else f"{type(error).__name__} {text}".strip()
