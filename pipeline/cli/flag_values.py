"""Readers of flag values. Standard library only, because the parser imports them for every command."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from pipeline.base.wait_limit import FOREVER, is_wait_limit

WAIT = "--wait"


def with_explicit_waits(words: Sequence[str]) -> list[str]:
    """Write `--wait` as `--wait=forever` where the next word is not a time, so that in `--wait film.mkv` the film is
    an argument."""
    end = words.index("--") if "--" in words else len(words)
    explicit = list(words)
    for position, word in enumerate(words[:end]):
        if word == WAIT and not (position + 1 < end and is_wait_limit(words[position + 1])):
            explicit[position] = f"{WAIT}={FOREVER}"
    return explicit


def label(word: str) -> tuple[str, float]:
    """Read `nvenc=3`. The amount is 1 where none is given."""
    name, _, amount = word.partition("=")
    try:
        return name, float(amount or 1)
    except ValueError as error:
        raise ValueError("a name and a number, as `nvenc=3`") from error


def seconds(word: str) -> float:
    """Read a time of up to eleven days."""
    with contextlib.suppress(ValueError):
        if 0 <= (number := float(word)) < 1e6:
            return number
    raise ValueError("a number of seconds, up to a million")


def count(word: str) -> int:
    """Read a whole number of at least 1."""
    with contextlib.suppress(ValueError):
        if (number := int(word)) >= 1:
            return number
    raise ValueError("a whole number, 1 or more")


def whole(word: str) -> int:
    """Read a whole number."""
    try:
        return int(word)
    except ValueError as error:
        raise ValueError("a whole number") from error


def given(text: str) -> str | None:
    """Return the text; None for an empty one, which an unset variable of the shell leaves."""
    return text or None


def split_list(text: str) -> list[str] | None:
    """Split `pt, en` at its commas; returns None for an empty text."""
    return [part.strip() for part in text.split(",") if part.strip()] if text else None
