"""A turn neither begins nor ends inside a clause of a word or two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.attribute.turn_edges import move_to_sentence_edges
from tests.joining import joining


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ("Hello there. And | I'm Sheila.", "Hello there. | And I'm Sheila."),
        ("I cannot read English. There | is a second set.", "I cannot read English. | There is a second set."),
        ("They call me that, so we'll | consider. Oh, I see.", "They call me that, so we'll consider. | Oh, I see."),
        ("My name is | Bob Brown.", "My name is | Bob Brown."),
        ("You are late. Hello Anna | Bob is here.", "You are late. Hello Anna | Bob is here."),
        ("Come in. | Yes.", "Come in. | Yes."),
        ("Look at this. Oh, | I don't hear that.", "Look at this. | Oh, I don't hear that."),
        ("They call me that, | I know.", "They call me that, | I know."),
        ("We said one two three | four five six.", "We said one two three | four five six."),
    ],
)
def test_a_change_of_speaker_moves_to_the_edge_of_the_sentence(heard: str, meant: str) -> None:
    one, other = (part.split() for part in heard.split(" | "))
    found = move_to_sentence_edges([*one, *other], ["A"] * len(one) + ["B"] * len(other), joining("en").every)
    first, second = (len(part.split()) for part in meant.split(" | "))
    assert found == ["A"] * first + ["B"] * second


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ("A:That's a good story. B:What are C:you talking about?", "AAAA CCCCC"),
        ("A:Laugh at it. B:You thought A:you were in pain.", "AAA AAAAAA"),
        ("B:What are A:you talking about?", "AAAAA"),
        ("A:Is it B:yours?", "AAA"),
    ],
)
def test_a_sentence_has_one_speaker_though_another_had_just_ended_one(heard: str, meant: str) -> None:
    words: list[str] = []
    speakers: list[str | None] = []
    for word in heard.split():
        speaker, _, text = word.rpartition(":")
        words.append(text)
        speakers.append(speaker or speakers[-1])
    assert move_to_sentence_edges(words, speakers, joining("en").every) == list(meant.replace(" ", ""))


_WORDS = st.lists(
    st.tuples(st.sampled_from(["and", "Yes.", "the", "Anna", "", "no?"]), st.sampled_from(["A", "B", None]))
)


@given(_WORDS)
def test_every_word_keeps_a_speaker_who_was_heard_near_it(words: list[tuple[str, str | None]]) -> None:
    speakers = [speaker for _, speaker in words]
    found = move_to_sentence_edges([text for text, _ in words], speakers, joining("en").every)
    assert len(found) == len(words)
    assert all((one is None) == (other is None) for one, other in zip(found, speakers, strict=True))
    for place, speaker in enumerate(found):
        assert speaker in speakers[max(place - 2, 0) : place + 3]
