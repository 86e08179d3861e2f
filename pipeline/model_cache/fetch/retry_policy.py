"""The limits of retries, waits and connections of a fetch, and the detection of a stalled transfer.

This is apart from the HTTP client, which takes 40 ms to import.
"""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class RetryPolicy:
    """The limits of retries and of connections. Tests use shorter times than a user who fetches 17 GB."""

    timeout_s: float = 30.0
    tries: int = 5  # in a row without a single byte
    back_off_s: float = 1.0  # doubled with each try
    longest_wait_s: float = 600.0
    stall_s: float = 30.0
    stall_bytes_per_s: int = 4096
    connections: int = 8  # for one file; browsers open six to a server
    wide_from_bytes: int = 64_000_000  # with less to come, the measuring takes longer than it can save
    measure_s: float = 1.0  # a new connection has left its slow start by then
    worth: float = 1.2  # twice the connections must reach this many times the rate, or they are given up


DEFAULT_POLICY = RetryPolicy()


class StallDetector:
    """Detects a transfer so slow that a new connection is likely to be faster."""

    def __init__(self, policy: RetryPolicy, reached: int) -> None:
        self._policy, self._since, self._from = policy, time.monotonic(), reached

    def too_slow(self, reached: int) -> str | None:
        """Return the slow rate in words; None while bytes come fast enough."""
        now = time.monotonic()
        seconds, came = now - self._since, reached - self._from
        if seconds < self._policy.stall_s:
            return None
        self._since, self._from = now, reached
        if came / seconds >= self._policy.stall_bytes_per_s:
            return None
        return f"{came} bytes in {seconds:.0f} s"
