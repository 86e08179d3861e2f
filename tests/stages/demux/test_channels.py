"""Channels that hold different people, by levels alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.channel_levels import ChannelLevels
from stages.demux.channels import FRAME_MS, SILENT_DB, hold_two_people, may_hold_two_people

FIRST, SECOND, BOTH, PAUSE = (-20, -50), (-50, -22), (-20, -22), (-70, -71)


def levels(frames: Sequence[tuple[int, int]]) -> ChannelLevels:
    return ChannelLevels(
        frame_ms=FRAME_MS, left=tuple(left for left, _ in frames), right=tuple(right for _, right in frames)
    )


def mix_db(left: float, right: float, correlation: float) -> float:
    """Return the level of half the sum of two signals."""
    powers = 10 ** (left / 10), 10 ** (right / 10)
    return 10 * math.log10((sum(powers) + 2 * correlation * math.sqrt(math.prod(powers))) / 4)


@given(st.floats(-50, -5), st.floats(-50, -5), st.floats(-0.9, 0.95))
def test_the_levels_of_the_whole_tell_what_the_channels_share(left: float, right: float, correlation: float) -> None:
    expected = abs(correlation) <= 0.4
    if abs(abs(correlation) - 0.4) > 0.01:
        assert may_hold_two_people((left, right), mix_db(left, right, correlation)) is expected


@pytest.mark.parametrize(
    ("channels", "mix"), [((), None), ((-20.0,), -20.0), ((-20.0, -20.0, -20.0), -24.0), ((-20.0, -120.0), -26.0)]
)
def test_one_channel_or_three_or_a_silent_one_is_not_a_call(channels: tuple[float, ...], mix: float | None) -> None:
    assert not may_hold_two_people(channels, mix)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([FIRST] * 40 + [PAUSE] * 30 + [SECOND] * 40, True),
        ([FIRST] * 40 + [BOTH] * 15 + [SECOND] * 40, True),
        ([FIRST] * 40 + [BOTH] * 40 + [SECOND] * 40, False),  # music, or a room with two microphones
        ([FIRST] * 99 + [SECOND], False),  # one person, and a click
        ([BOTH] * 100, False),
        ([(SILENT_DB, SILENT_DB)] * 100, False),
        ([], False),
    ],
)
def test_people_are_apart_where_mostly_one_channel_alone_sounds(frames: list[tuple[int, int]], expected: bool) -> None:
    assert hold_two_people(levels(frames)) is expected
