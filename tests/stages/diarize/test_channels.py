"""Turns by the louder channel."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.documents.channel_levels import ChannelLevels
from shared.documents.speech import Region
from stages.diarize.channels import turns_by_channel
from stages.diarize.speakers import SpeakerTurn

FRAME_MS = 50
LEVELS = st.lists(st.tuples(st.integers(-120, 0), st.integers(-120, 0)), min_size=1, max_size=120)


def levels(frames: list[tuple[int, int]]) -> ChannelLevels:
    return ChannelLevels(
        frame_ms=FRAME_MS, left=tuple(left for left, _ in frames), right=tuple(right for _, right in frames)
    )


def test_each_person_has_the_time_in_which_the_own_channel_is_loud() -> None:
    frames = [(-20, -60)] * 20 + [(-70, -70)] * 20 + [(-60, -20)] * 20
    found = turns_by_channel(levels(frames), [Region(start_ms=0, end_ms=3000)])
    assert list(found.turns) == [SpeakerTurn(0, 1000, 0), SpeakerTurn(2000, 3000, 1)]
    assert found.exclusive == [SpeakerTurn(0, 1000, 0), SpeakerTurn(2000, 3000, 1)]


def test_both_speak_at_once_and_each_word_belongs_to_the_louder() -> None:
    frames = [(-20, -60)] * 20 + [(-20, -18)] * 10 + [(-60, -18)] * 20
    found = turns_by_channel(levels(frames), [Region(start_ms=0, end_ms=2500)])
    assert list(found.turns) == [SpeakerTurn(0, 1500, 0), SpeakerTurn(1000, 2500, 1)]
    assert found.exclusive == [SpeakerTurn(0, 1000, 0), SpeakerTurn(1000, 2500, 1)]


@given(LEVELS, st.integers(0, 2000), st.integers(100, 6000))
def test_turns_stay_inside_the_speech_and_one_person_has_each_moment(
    frames: list[tuple[int, int]], start_ms: int, length_ms: int
) -> None:
    region = Region(start_ms=start_ms, end_ms=start_ms + length_ms)
    found = turns_by_channel(levels(frames), [region])
    assert all(region.start_ms <= turn.start_ms < turn.end_ms <= region.end_ms for turn in found.turns)
    assert found.exclusive is not None
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(found.exclusive))


@given(LEVELS)
def test_the_sides_are_alike(frames: list[tuple[int, int]]) -> None:
    region = [Region(start_ms=0, end_ms=len(frames) * FRAME_MS)]
    loud = [(left, right) for left, right in frames if left != right]
    one, other = (turns_by_channel(levels(found), region) for found in (loud, [(b, a) for a, b in loud]))
    assert sorted(one.turns) == sorted(turn._replace(speaker=1 - turn.speaker) for turn in other.turns)
