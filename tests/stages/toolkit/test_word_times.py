"""Words of a rewritten text: those that stay keep their times, new ones get times of those they replace."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.documents.transcript import Segment, Word
from stages.toolkit.text.word_times import rewritten


def a_segment(*texts: str, joined: frozenset[int] = frozenset()) -> Segment:
    words = tuple(
        Word(text=text, start_ms=n * 100, end_ms=n * 100 + 80, probability=0.9, joined=n in joined, speaker="A")
        for n, text in enumerate(texts)
    )
    text = "".join(word.text if word.joined else f" {word.text}" for word in words).strip()
    return Segment(id=3, text=text, start_ms=0, end_ms=len(texts) * 100, words=words, speaker="A")


def shown(segment: Segment) -> list[tuple[str, int, int]]:
    return [(word.text, word.start_ms, word.end_ms) for word in segment.words]


def test_marks_and_letter_case_move_no_word() -> None:
    assert shown(rewritten(a_segment("hello", "world"), "Hello, world.")) == [("Hello,", 0, 80), ("world.", 100, 180)]


def test_a_word_in_place_of_another_gets_its_time_and_two_share_it_by_length() -> None:
    assert shown(rewritten(a_segment("we", "recognise", "it"), "we wreck a nice it")) == [
        ("we", 0, 80), ("wreck", 100, 140), ("a", 140, 148), ("nice", 148, 180), ("it", 200, 280),
    ]  # fmt: skip


def test_a_word_that_is_new_stands_in_the_gap_and_one_that_is_gone_leaves_its_neighbours_alone() -> None:
    assert shown(rewritten(a_segment("one", "two"), "one and two")) == [
        ("one", 0, 80), ("and", 80, 100), ("two", 100, 180),
    ]  # fmt: skip
    assert shown(rewritten(a_segment("one", "uh", "two"), "one two")) == [("one", 0, 80), ("two", 200, 280)]


def test_what_no_space_parts_is_one_word_and_stays_two_where_nothing_changed() -> None:
    parts = a_segment("well", "-known", "man", joined=frozenset({1}))
    assert shown(rewritten(parts, "Well-known man")) == [("Well-known", 0, 180), ("man", 200, 280)]
    assert shown(rewritten(parts, "well-known men")) == [("well", 0, 80), ("-known", 100, 180), ("men", 200, 280)]


def test_words_of_a_script_without_spaces_keep_their_edges_where_they_stay() -> None:
    said = a_segment("今天", "天气", "很好", joined=frozenset({1, 2}))
    assert shown(rewritten(said, "今天天气很好。")) == [("今天", 0, 80), ("天气", 100, 180), ("很好。", 200, 280)]
    changed = rewritten(said, "今天空气很好")
    assert "".join(word.text for word in changed.words) == "今天空气很好"
    assert (changed.words[0].text, changed.words[-1].text) == ("今天", "很好")


TEXTS = st.lists(st.sampled_from(["a", "b", "c,", "C", "-d", "今", "天气", "!", "नम"]), min_size=1, max_size=8)


@given(TEXTS, TEXTS, st.sets(st.integers(1, 7)))
def test_whatever_the_new_text_its_words_are_all_there_and_in_order_of_time(
    old: list[str], new: list[str], joined: set[int]
) -> None:
    text = " ".join(new)
    changed = rewritten(a_segment(*old, joined=frozenset(joined)), text)
    again = "".join(word.text if word.joined else f" {word.text}" for word in changed.words).strip()
    assert again == changed.text == text
    times = [time for word in changed.words for time in (word.start_ms, word.end_ms)]
    assert times == sorted(times)
    assert all(word.speaker == "A" for word in changed.words)
