"""The values of flags as people write them. Standard library only: the parser takes them from here."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from pipeline.base.wait_limit import FOREVER, is_wait_limit

WAIT = "--wait"


def with_waits_spelled_out(words: Sequence[str]) -> list[str]:
    """Give `--wait` its value where the next word is not one: `--wait film.mkv` waits forever, for a film."""
    until = words.index("--") if "--" in words else len(words)
    spelled = list(words)
    for at, word in enumerate(words[:until]):
        if word == WAIT and not (at + 1 < until and is_wait_limit(words[at + 1])):
            spelled[at] = f"{WAIT}={FOREVER}"
    return spelled


def label(word: str) -> tuple[str, float]:
    """Read `nvenc=3`; one of it where no number is given."""
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
    """Read a number from 1 on."""
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
    """Return a text, or None for an empty one, as of a variable of the shell that is not set."""
    return text or None


def split_list(text: str) -> list[str] | None:
    """Return the parts of `pt, en`; None for an empty text."""
    return [part.strip() for part in text.split(",") if part.strip()] if text else None
