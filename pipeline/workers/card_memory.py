"""Account for the memory of a card that reel may use: all of it, less a reserve and what other programs hold. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection

from pipeline.base.errors import OutOfMemory
from pipeline.base.hardware import card_memory_mb
from pipeline.base.nvidia import Card, CardUse
from pipeline.workers.capacity import Placement

CONTEXT_MB = 450.0  # of a card, that each process takes before it computes anything; 300 to 500 by card and driver
_LEAST_MB = 1.0  # a full card stays a card: a job that does not fit there finds that out, and says so
_RESERVE = 0.05  # of a card: allocators round up, and a desktop grows


def usable_mb(card: Card, use: CardUse | None, own: Collection[int]) -> float:
    """Return the memory of the card that is free for our processes `own`, what they hold included, in 10^6 bytes.

    `use` is what the driver tells of the card now; None where it does not.
    """
    total_mb = card_memory_mb(card)
    if use is None:
        return total_mb * (1 - _RESERVE)
    ours_mb = sum(held_mb for pid, held_mb in use.processes.items() if pid in own)
    others_mb = max(use.total_mb - use.free_mb - ours_mb, 0.0)
    return max(total_mb * (1 - _RESERVE) - others_mb, _LEAST_MB)


def card_room_mb(cards: Collection[Card]) -> float:
    """Return the memory of the largest card that a worker may take beside the context of its process, in 10^6 bytes;
    without end if there is no card whose memory is known."""
    known = [usable_mb(card, None, ()) - CONTEXT_MB for card in cards if card.memory_mib]
    return max(known) if known and len(known) == len(cards) else math.inf


def card_of(error: OutOfMemory) -> Placement | None:
    """Return the card whose memory ran out; None where it was the memory of the machine."""
    return Placement(error.host, error.gpu) if error.gpu is not None and error.code == "stage.out-of-memory" else None
