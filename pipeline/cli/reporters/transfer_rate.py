"""Computes the rate of a transfer and its remaining time, and notices when it has stalled."""

from __future__ import annotations

import time
from collections import deque

from shared.text.timecode import span

_WINDOW_S = 10.0  # long enough to be steady, short enough to follow a change
_STALLED_S = 5.0  # without a byte; the fetch itself waits longer before it reconnects
_SLOW_BYTES_PER_S = 100_000
_FIRST_RATE_S = 0.5  # a rate over a shorter time is not reliable


class TransferRate:
    """Rate of one transfer over the last seconds, computed from the times at which its bytes arrived."""

    def __init__(self, done: int, total: int, now: float | None = None) -> None:
        started = time.monotonic() if now is None else now
        self._total, self._samples = total, deque([(started, done)])

    def update(self, done: int, now: float | None = None) -> None:
        """Record that `done` bytes have arrived."""
        now = time.monotonic() if now is None else now
        if done < self._samples[-1][1]:  # the transfer starts over
            self._samples.clear()
        self._samples.append((now, done))
        while len(self._samples) > 2 and now - self._samples[0][0] > _WINDOW_S:
            self._samples.popleft()

    def text(self, now: float | None = None) -> str:
        """Return `12.3 MB/s, 2m05s left`, or how long the transfer has stalled."""
        now = time.monotonic() if now is None else now
        (began, first), (last, done) = self._samples[0], self._samples[-1]
        if now - last >= _STALLED_S and done < self._total:
            return f"stalled: nothing for {span(now - last)}"
        seconds = now - began
        if seconds < _FIRST_RATE_S or done <= first:
            return ""
        rate = (done - first) / seconds
        shown = f"{rate / 1e6:.1f} MB/s" if rate >= _SLOW_BYTES_PER_S else f"only {rate / 1e3:.1f} kB/s"
        return f"{shown}, {span((self._total - done) / rate)} left"
