"""Words of a text find those that were heard, whatever is missing, wrong or elsewhere."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from stages.toolkit.sync.word_match import match_words
from tests.conftest import examples

_WORDS = st.lists(st.sampled_from(["yes", "no", "the", "river", "old", "boat", "seven", "a", "house", "when"]))


@given(_WORDS, _WORDS)
@examples(2)
def test_a_word_is_matched_once_at_most_with_one_that_is_like_it(text: list[str], heard: list[str]) -> None:
    pairs = match_words(text, heard)
    assert [pair.text for pair in pairs] == sorted({pair.text for pair in pairs})
    assert len({pair.recognised for pair in pairs}) == len(pairs)
    assert all(text[pair.text][0] == heard[pair.recognised][0] for pair in pairs)


@given(st.lists(st.integers(0, 10_000), unique=True, max_size=200))
def test_the_same_words_match_one_to_one(numbers: list[int]) -> None:
    words = [f"word{number}" for number in numbers]
    assert [(pair.text, pair.recognised) for pair in match_words(words, words)] == [(n, n) for n in range(len(words))]


@given(st.integers(0, 1_000))
@examples(0.2)
def test_parts_in_another_order_are_found_where_they_are(seed: int) -> None:
    chance = random.Random(seed)
    heard = [f"w{chance.randint(0, 300)}" for _ in range(600)]
    order = [*range(200), *range(400, 600), *range(200, 400)]
    pairs = match_words([heard[place] for place in order], heard)
    right = sum(order[pair.text] == pair.recognised for pair in pairs)
    assert right >= 0.97 * len(heard)


def test_a_film_of_two_hours_is_matched_without_a_table_of_all_words_by_all() -> None:
    chance = random.Random(5)
    vocabulary = [f"v{chance.randint(0, 10**9)}" for _ in range(3_000)]
    weights = [1 / (rank + 1) for rank in range(len(vocabulary))]
    heard = chance.choices(vocabulary, weights, k=10_000)
    text = [word if chance.random() > 0.2 else chance.choice(vocabulary) for word in heard]
    pairs = match_words(text, heard)
    assert sum(pair.text == pair.recognised for pair in pairs) > 0.75 * len(heard)
    assert sum(pair.text != pair.recognised for pair in pairs) < 0.01 * len(heard)
