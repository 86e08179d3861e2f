"""The counting rule, and which characters are one for a reader."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.text.text_width import clusters, is_cluster_edge, places, places_of_lines, reading_ms


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0), ("two words", 9), ("cafe\u0301", 4), ("नमस्ते", 4), ("日本", 4), ("ﾊﾝｶｸ", 4), ("한국", 4), ("ไทยนี้", 4),
        ("a\u200bb", 2), ("“é”", 3),
    ],
)  # fmt: skip
def test_a_letter_takes_a_place_a_wide_one_two_and_a_mark_none(text: str, count: int) -> None:
    assert places(text) == count


@pytest.mark.parametrize(
    "picture",
    [
        "\U0001f44d", "\U0001f44d\U0001f3fd", "\u2764\ufe0f", "1\ufe0f\u20e3", "\U0001f1eb\U0001f1f7",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f3f3\ufe0f\u200d\U0001f308",
        "\u1112\u1161\u11ab",
    ],
)  # fmt: skip
def test_a_picture_and_a_syllable_take_two_places_whatever_they_are_composed_of(picture: str) -> None:
    assert clusters(picture) == [picture]
    assert places(picture) == 2
    assert places(f"a{picture}한{picture}") == 7


@pytest.mark.parametrize("character", [" ", "a", "न", "."])
def test_a_selector_after_what_is_no_picture_takes_no_place(character: str) -> None:
    assert places(f"{character}\ufe0f") == 1


@given(st.text(), st.text())
def test_a_text_takes_the_places_of_its_clusters(one: str, other: str) -> None:
    text = one + other
    assert places(text) == sum(map(places, clusters(text)))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("abc", 3), ("e\u0301e", 2), ("क्षि", 1), ("นี้ำ", 1), ("한글", 2), ("\u1112\u1161\u11ab\u1100", 2),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467", 1), ("\U0001f1eb\U0001f1f7\U0001f1e9\U0001f1ea", 2),
        ("\U0001f44d\U0001f3fdx", 2), ("\r\n", 1), ("ｶﾞ", 2),
    ],
)  # fmt: skip
def test_what_a_reader_takes_for_one_character_is_one_cluster(text: str, count: int) -> None:
    if text == "ｶﾞ":
        count = 1  # a half-width voicing mark belongs to its letter
    assert len(clusters(text)) == count


@given(st.text())
def test_clusters_are_the_whole_text_and_their_edges_are_edges(text: str) -> None:
    parts = clusters(text)
    assert "".join(parts) == text
    at = 0
    for part in parts:
        assert part
        assert is_cluster_edge(text, at)
        assert not any(is_cluster_edge(text, at + inside) for inside in range(1, len(part)))
        at += len(part)


@given(st.integers(0, 10_000), st.floats(1, 50))
@example(19, 1.9)  # a little less than 1.9, so that 10 seconds are a little too short
def test_reading_time_is_the_shortest_that_the_speed_allows(count: int, speed: float) -> None:
    milliseconds, exact = reading_ms(count, speed), Fraction(speed)
    assert milliseconds * exact >= count * 1000
    assert (milliseconds - 1) * exact < count * 1000


def test_the_places_of_a_cue_are_those_of_its_lines() -> None:
    assert places_of_lines(["two", "日本"]) == 7
