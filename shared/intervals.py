"""A set of time intervals: how much of another interval they cover, and what they leave free."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

Span = tuple[int, int]


class Spans:
    """Intervals, `start` inclusive and `end` exclusive, joined if they overlap or meet. A look-up is a search."""

    def __init__(self, spans: Iterable[Span]) -> None:
        joined: list[Span] = []
        for start, end in sorted(spans):
            if joined and start <= joined[-1][1]:
                joined[-1] = joined[-1][0], max(joined[-1][1], end)
            elif start < end:
                joined.append((start, end))
        self._starts = [start for start, _ in joined]
        self._ends = [end for _, end in joined]
        self._before = [0]  # the total length of all intervals before each
        for start, end in joined:
            self._before.append(self._before[-1] + end - start)

    def __iter__(self) -> Iterator[Span]:
        return iter(zip(self._starts, self._ends, strict=True))

    def share(self, start: int, end: int) -> float:
        """Return the share of an interval that the set covers, 0 to 1."""
        return (self._until(end) - self._until(start)) / max(end - start, 1)

    def gaps(self, start: int, end: int) -> Iterator[Span]:
        """Yield the parts of an interval that the set leaves free."""
        index = max(bisect_right(self._starts, start) - 1, 0)
        while start < end:
            if index >= len(self._starts) or self._starts[index] >= end:
                yield start, end
                return
            if self._starts[index] > start:
                yield start, self._starts[index]
            start = max(start, self._ends[index])
            index += 1

    def _until(self, time: int) -> int:
        """Return the total length of the set before a time."""
        index = bisect_right(self._starts, time) - 1
        if index < 0:
            return 0
        return self._before[index] + min(time, self._ends[index]) - self._starts[index]
