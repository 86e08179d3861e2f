"""Decides whether the two channels of a recording hold different people, as calls and interviews are recorded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import starmap

from shared.documents.channel_levels import ChannelLevels

FRAME_MS = 50
SILENT_DB = -120  # in place of minus infinity
APART_DB = 12  # one channel is this much louder where only its person speaks; a call leaks less to the other side
_CORRELATED = 0.4  # channels of a film hold the same dialogue, 0.7 and more; a leak of -20 dB makes 0.2 of a call
_LOUD_DB = 35  # a frame counts if it is not quieter than this below the loud ones
_APART_SHARE = 0.8  # the rest is talk at the same time
_EACH_SHARE = 0.05


def may_be_apart(channel_db: Sequence[float], mix_db: float | None) -> bool:
    """Tell whether two channels may hold different people, by the levels of the whole: the sum of two signals has the
    power of both, and twice what they share. It costs nothing, so that only such files are decoded again."""
    if len(channel_db) != 2 or mix_db is None or min(channel_db) <= SILENT_DB / 2:
        return False
    left, right, mix = (10 ** (level / 10) for level in (*channel_db, mix_db))
    shared = (4 * mix - left - right) / (2 * math.sqrt(left * right))  # the mix is half of the sum
    return abs(shared) <= _CORRELATED


def are_apart(levels: ChannelLevels) -> bool:
    """Tell whether one channel alone sounds in most frames, now this and now that one."""
    louder = list(starmap(max, zip(levels.left, levels.right, strict=True)))
    if not louder:
        return False
    floor = max(sorted(louder)[len(louder) * 95 // 100] - _LOUD_DB, SILENT_DB / 2)
    differences = [
        left - right for left, right in zip(levels.left, levels.right, strict=True) if max(left, right) >= floor
    ]
    sides = [sum(level >= APART_DB for level in differences), sum(level <= -APART_DB for level in differences)]
    return sum(sides) >= _APART_SHARE * len(differences) and min(sides) >= _EACH_SHARE * len(differences) > 0
