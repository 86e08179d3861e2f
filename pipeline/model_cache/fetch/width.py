"""Measure the rate of a transfer, and decide from rates how many connections fetch one file."""

from __future__ import annotations

import time


class Gauge:
    """Measures bytes a second over `measure_s` seconds, after a pause of half of that: new connections begin slowly."""

    def __init__(self, measure_s: float, count: int) -> None:
        self._measure_s, self._from, self._count = measure_s, time.monotonic() + measure_s / 2, count

    def rate(self, count: int) -> float | None:
        """Return the rate, or None until it is known. `count` is the number of bytes received so far."""
        now = time.monotonic()
        if now < self._from:
            self._count = count
        seconds = now - self._from
        return (count - self._count) / seconds if seconds > 0 and seconds >= self._measure_s else None


class Width:
    """The number of connections: doubled while that makes the transfer faster, halved when the server refuses one.

    One connection may not use the full bandwidth, because the server limits each connection or because it is far away.
    Only a trial shows that: `measured` compares the rate of twice the connections with the rate before.
    """

    def __init__(self, rate: float, most: int, worth: float) -> None:
        """Begin with two connections. `rate` is that of one connection, in bytes a second."""
        self.count, self._most, self._worth = min(2, most), most, worth
        self._rate, self._settled = rate, most < 2

    @property
    def settled(self) -> bool:
        """Tell whether the number is final, so that no further rate has to be measured."""
        return self._settled

    def measured(self, rate: float) -> None:
        """Adjust the number by the total rate of the present connections, in bytes a second."""
        if self._settled:
            return
        if rate < self._rate * self._worth:
            self.count, self._settled = self.count // 2, True
        elif self.count * 2 > self._most:
            self._settled = True
        else:
            self.count, self._rate = self.count * 2, rate

    def refused(self, *, for_long: bool = False) -> None:
        """Reduce the number after the server has refused or cut a connection. `for_long` says that it will not accept
        another one soon."""
        self.count, self._settled = 1 if for_long else max(1, self.count // 2), True
