"""Requests to a forced aligner, and word times from its answers."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from shared.documents.speech import Region
from shared.documents.transcript import Segment, Word
from stages.align.ctc_words import WILDCARD, groups_of, interpolate, place_words, tokens_of

ALPHABET = {"<pad>": 0, "|": 1, **{letter: number for number, letter in enumerate(string.ascii_lowercase, start=2)}}


def words(*texts: str) -> list[Word]:
    """Return words; `+` before a text joins it to the one before it."""
    return [
        Word(text=text.removeprefix("+"), start_ms=0, end_ms=1, probability=0.5, joined=text.startswith("+"))
        for text in texts
    ]


def spelled(*texts: str) -> list[str]:
    names = {number: letter for letter, number in ALPHABET.items()} | {WILDCARD: "*"}
    return ["".join(names[token.code] for token in tokens_of(words(*texts), ALPHABET))]


def test_letters_are_found_in_lower_case_with_separators_between_words() -> None:
    assert spelled("Hello", "there.") == ["hello|there"]


def test_digits_and_spoken_symbols_sound_like_anything_and_silent_marks_like_nothing() -> None:
    assert spelled("€50", "(or", "100%),") == ["***|or|****"]
    assert spelled("—", "no", "...") == ["no"]


def test_letters_of_another_script_are_wildcards_and_joined_words_have_no_separator() -> None:
    assert spelled("世", "+界", "+a") == ["**a"]
    assert spelled("a|b") == ["a*b"]


def test_a_word_is_where_its_letters_are_and_one_without_letters_between_its_neighbours() -> None:
    said = words("ab", "—", "1")
    tokens = tokens_of(said, ALPHABET)
    assert [token.word for token in tokens] == [0, 0, None, 2]
    spans = [(100, 150), (160, 200), (200, 250), (300, 400)]
    found = place_words(said, tokens, spans, 0, 1_000)
    assert [(word.start_ms, word.end_ms, word.interpolated) for word in found] == [
        (100, 200, False),
        (200, 300, True),
        (300, 400, False),
    ]


def test_a_word_that_was_interpolated_before_is_measured_now() -> None:
    (word,) = (word.model_copy(update={"interpolated": True}) for word in words("a"))
    (found,) = place_words([word], tokens_of([word], ALPHABET), [(5, 9)], 0, 10)
    assert (found.start_ms, found.end_ms, found.interpolated) == (5, 9, False)


@st.composite
def some_spans(draw: st.DrawFn) -> list[tuple[int, int] | None]:
    edges = sorted(draw(st.lists(st.integers(0, 10_000), min_size=2, max_size=20)))
    known = list(zip(edges[::2], edges[1::2], strict=False))
    mixed: list[tuple[int, int] | None] = []
    for span in known:
        mixed += [None] * draw(st.integers(0, 3)) + [span]
    return mixed + [None] * draw(st.integers(0, 3))


@given(some_spans())
def test_what_is_missing_lies_between_its_neighbours_and_the_rest_is_untouched(
    spans: list[tuple[int, int] | None],
) -> None:
    filled = interpolate(spans, 0, 10_000)
    assert len(filled) == len(spans)
    assert all(span is None or span == there for span, there in zip(spans, filled, strict=True))
    edges = [edge for span in filled for edge in span]
    assert edges == sorted(edges)
    assert edges[0] >= 0
    assert edges[-1] <= 10_000


def segment(start_ms: int, end_ms: int, window: tuple[int, int] | None = None) -> Segment:
    heard_in = Region(start_ms=window[0], end_ms=window[1]) if window else None
    return Segment(id=0, text="", start_ms=start_ms, end_ms=end_ms, window=heard_in)


def test_segments_of_one_window_are_found_in_it_together() -> None:
    said = [segment(0, 900, (0, 9_000)), segment(900, 8_000, (0, 9_000)), segment(9_500, 9_900, (9_100, 10_000))]
    assert [tuple(group) for group in groups_of(said, 20_000)] == [(range(2), 0, 9_000), (range(2, 3), 9_100, 10_000)]


def test_segments_that_touch_are_found_together_with_a_little_of_the_pauses() -> None:
    said = [segment(1_000, 2_000), segment(2_100, 3_000), segment(3_500, 4_000), segment(9_000, 9_950)]
    found = [tuple(group) for group in groups_of(said, 10_000)]
    assert found == [(range(2), 800, 3_200), (range(2, 3), 3_300, 4_200), (range(3, 4), 8_800, 9_975)]


def test_two_stretches_meet_in_the_middle_of_a_short_pause() -> None:
    found = groups_of([segment(1_000, 3_000), segment(3_320, 4_000)], 10_000)
    assert [(group.start_ms, group.end_ms) for group in found] == [(800, 3_160), (3_160, 4_200)]


def test_segments_that_touch_are_found_together_up_to_half_a_minute() -> None:
    assert len(groups_of([segment(0, 20_000), segment(20_100, 30_000)], 60_000)) == 1
    assert len(groups_of([segment(0, 20_000), segment(20_100, 30_001)], 60_000)) == 2


def test_a_word_at_the_edge_lies_close_to_what_was_found() -> None:
    assert interpolate([None, (1_000, 1_100), None], 0, 9_000) == [(900, 1_000), (1_000, 1_100), (1_100, 1_200)]
