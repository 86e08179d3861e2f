"""Finds which of many stretches of time overlap another one, without looking at all of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import Generic, Protocol, TypeVar


class HasTimes(Protocol):
    """Anything with a start and an end in milliseconds."""

    @property
    def start_ms(self) -> int: ...
    @property
    def end_ms(self) -> int: ...


Timed = TypeVar("Timed", bound=HasTimes)


class Stretches(Generic[Timed]):
    """Stretches of time, which may overlap each other."""

    def __init__(self, stretches: Iterable[Timed]) -> None:
        self._ordered = sorted(stretches, key=lambda stretch: stretch.start_ms)
        self._starts = [stretch.start_ms for stretch in self._ordered]
        self._latest_ends = list(accumulate((stretch.end_ms for stretch in self._ordered), max))

    def overlapping(self, other: HasTimes) -> list[Timed]:
        """Return the stretches that have time in common with another one, in order."""
        first, end = bisect_right(self._latest_ends, other.start_ms), bisect_left(self._starts, other.end_ms)
        return [stretch for stretch in self._ordered[first:end] if stretch.end_ms > other.start_ms]
