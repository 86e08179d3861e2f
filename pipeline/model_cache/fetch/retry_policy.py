"""How long a fetch waits for a server; apart from the HTTP client, which a start does not pay for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """The limits of retries. Tests use shorter ones than a user with 17 GB to fetch."""

    timeout_s: float = 30.0
    tries: int = 5  # in a row without a single byte
    back_off_s: float = 1.0  # doubled with each try
    longest_wait_s: float = 600.0
    stall_s: float = 30.0
    stall_bytes_per_s: int = 4096


PATIENCE = Patience()
