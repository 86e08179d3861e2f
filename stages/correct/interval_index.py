"""Find which of many intervals overlap another one, by binary search."""

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


class IntervalIndex(Generic[Timed]):
    """Intervals of time, which may overlap each other."""

    def __init__(self, intervals: Iterable[Timed]) -> None:
        self._ordered = sorted(intervals, key=lambda interval: interval.start_ms)
        self._starts = [interval.start_ms for interval in self._ordered]
        self._latest_ends = list(accumulate((interval.end_ms for interval in self._ordered), max))

    def overlapping(self, other: HasTimes) -> list[Timed]:
        """Return the intervals that overlap another one, in order of their starts."""
        first, end = bisect_right(self._latest_ends, other.start_ms), bisect_left(self._starts, other.end_ms)
        return [interval for interval in self._ordered[first:end] if interval.end_ms > other.start_ms]
