"""The rate of a transfer, its remaining time, and whether it has stalled."""

from __future__ import annotations

import time
from collections import deque

from shared.text.timecode import span

_WINDOW_S = 10.0  # long enough to be steady, short enough to follow a change
_STALLED_S = 5.0  # say so after this time; the fetch itself waits longer before it reconnects
_SLOW_BYTES_PER_S = 100_000
_FIRST_RATE_S = 0.5  # the rate of a moment says nothing


class Pace:
    """The rate of one transfer, from the bytes reached and the times of each change."""

    def __init__(self, done: int, total: int, now: float | None = None) -> None:
        started = time.monotonic() if now is None else now
        self._total, self._moves = total, deque([(started, done)])

    def reach(self, done: int, now: float | None = None) -> None:
        """Record that the transfer has reached byte `done`."""
        at = time.monotonic() if now is None else now
        if done < self._moves[-1][1]:  # it starts over
            self._moves.clear()
        self._moves.append((at, done))
        while len(self._moves) > 2 and at - self._moves[0][0] > _WINDOW_S:
            self._moves.popleft()

    def text(self, now: float | None = None) -> str:
        """Return `12.3 MB/s, 2m05s left`, or how long the transfer has stalled."""
        at = time.monotonic() if now is None else now
        (began, first), (last, done) = self._moves[0], self._moves[-1]
        if at - last >= _STALLED_S and done < self._total:
            return f"stalled: nothing for {span(at - last)}"
        seconds = at - began
        if seconds < _FIRST_RATE_S or done <= first:
            return ""
        rate = (done - first) / seconds
        shown = f"{rate / 1e6:.1f} MB/s" if rate >= _SLOW_BYTES_PER_S else f"only {rate / 1e3:.1f} kB/s"
        return f"{shown}, {span((self._total - done) / rate)} left"
