"""Decide whether the two channels of a recording hold different people, as in many calls and interviews."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import starmap

from shared.documents.channel_levels import ChannelLevels

FRAME_MS = 50
SILENT_DB = -120  # instead of minus infinity
APART_DB = 12  # the person's channel is so much louder while only that person speaks; the leak of a call is quieter
_CORRELATED = 0.4  # channels of a film have the same dialogue and 0.7 or more; a call with a leak of -20 dB has 0.2
_LOUD_DB = 35  # a frame counts if it is not farther below the loud ones
_APART_SHARE = 0.8  # of the frames; in the rest, both people speak
_EACH_SHARE = 0.05  # of the frames, for each person


def may_hold_two_people(channel_db: Sequence[float], mix_db: float | None) -> bool:
    """Tell whether two channels may hold different people, by the levels of the whole file. The sum of two signals has
    the power of both plus twice the power that they share. This is cheap, so only such files are decoded again."""
    if len(channel_db) != 2 or mix_db is None or min(channel_db) <= SILENT_DB / 2:
        return False
    left, right, mix = (10 ** (level / 10) for level in (*channel_db, mix_db))
    shared = (4 * mix - left - right) / (2 * math.sqrt(left * right))  # the mix is half of the sum
    return abs(shared) <= _CORRELATED


def hold_two_people(levels: ChannelLevels) -> bool:
    """Tell whether in most frames only one channel has sound, and each channel in some of them."""
    louder = list(starmap(max, zip(levels.left, levels.right, strict=True)))
    if not louder:
        return False
    floor = max(sorted(louder)[len(louder) * 95 // 100] - _LOUD_DB, SILENT_DB / 2)
    differences = [
        left - right for left, right in zip(levels.left, levels.right, strict=True) if max(left, right) >= floor
    ]
    sides = [sum(level >= APART_DB for level in differences), sum(level <= -APART_DB for level in differences)]
    return sum(sides) >= _APART_SHARE * len(differences) and min(sides) >= _EACH_SHARE * len(differences) > 0
