"""A pack is decoded in windows of at most 30 s, and what no window gave a text for is found."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.removals import Removal
from shared.documents.speech import Region
from shared.documents.transcript import Segment
from stages.asr.untranscribed import untranscribed_regions
from stages.asr.windows import Window, joined_windows, segment_of_window, windows_of


def regions(*times: tuple[int, int]) -> tuple[Region, ...]:
    return tuple(Region(start_ms=start, end_ms=end) for start, end in times)


def test_a_window_holds_as_many_stretches_as_fit_with_the_gaps_between_them() -> None:
    windows = windows_of(regions((0, 10_000), (12_000, 30_000), (30_500, 31_000)))
    assert [(one.audio.start_ms, one.audio.end_ms, one.pack) for one in windows] == [
        (0, 30_000, (0, 28_000)), (30_500, 31_000, (28_000, 28_500))
    ]  # fmt: skip


def test_without_gaps_more_stretches_fit() -> None:
    pack = regions((0, 10_000), (12_000, 30_000), (40_000, 42_000), (50_000, 51_000))
    windows = joined_windows(pack)
    assert [(one.stretches, one.start_ms) for one in windows] == [(pack[:3], 0), (pack[3:], 30_000)]


@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 30_000)), min_size=1, max_size=12))
def test_each_stretch_is_in_one_window_and_no_window_is_longer_than_30_s(steps: list[tuple[int, int]]) -> None:
    pack, at = [], 0
    for gap, length in steps:
        pack.append(Region(start_ms=at + gap, end_ms=at + gap + length))
        at += gap + length
    windows, joined = windows_of(pack), joined_windows(pack)
    assert all(one.audio.end_ms - one.audio.start_ms <= 30_000 for one in windows)
    assert sum(end - start for start, end in (one.pack for one in windows)) == sum(length for _, length in steps)
    assert [stretch for one in joined for stretch in one.stretches] == pack
    assert all(sum(one.end_ms - one.start_ms for one in window.stretches) <= 30_000 for window in joined)


def test_the_words_of_a_window_lie_in_its_part_of_the_pack_and_are_as_sure_as_the_whole() -> None:
    window = Window(Region(start_ms=5_000, end_ms=6_000), (2_000, 3_000))
    heard = segment_of_window(window, "Good evening.", math.log(0.5))
    assert [word.text for word in heard.words] == [" Good", " evening."]
    assert (heard.words[0].start_ms, heard.words[-1].end_ms, heard.window) == (2_000, 3_000, window.audio)
    assert [word.probability for word in heard.words] == pytest.approx([0.5, 0.5])
    assert {word.probability for word in segment_of_window(window, "Good evening.", 0.7).words} == {1.0}


def test_speech_of_the_pack_that_has_no_text_and_was_not_left_out_is_missed() -> None:
    pack = regions((1_000, 9_000))
    speech = regions((0, 900), (1_000, 3_000), (4_000, 5_500), (7_000, 9_000), (9_000, 12_000))
    said = (Segment(id=0, text="Hello there.", start_ms=1_000, end_ms=3_000),)
    assert untranscribed_regions(pack, speech, said, ()) == regions((4_000, 5_500), (7_000, 9_000))
    left_out = (Removal(start_ms=4_200, end_ms=5_000, text="Thanks.", reason="stock-phrase"),)
    assert untranscribed_regions(pack, speech, said, left_out) == regions((7_000, 9_000))
