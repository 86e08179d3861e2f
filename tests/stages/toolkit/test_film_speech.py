"""Where people speak without a pause, sentences, questions, lengths and names tell where a cue belongs."""

from __future__ import annotations

import random

import numpy as np
import pytest

from shared.documents.speech import Region
from stages.toolkit.sync.cue_words import CueText, RecognisedWord
from stages.toolkit.sync.film_speech import FilmSpeech
from stages.toolkit.sync.speech_offsets import find_by_speech

_WORD_MS = 300


def said_sentences(seed: int, count: int) -> list[list[RecognisedWord]]:
    """Return the words of sentences of 3 to 14 words; every seventh asks."""
    chance, at, found = random.Random(seed), 1_000, []
    for number in range(count):
        size = chance.randint(3, 14)
        words = []
        for place in range(size):
            last = place == size - 1
            text = "".join(chance.choices("abcdefghij", k=chance.randint(1, 4)))
            words.append(RecognisedWord(text, at, at + _WORD_MS - 20, last, last and number % 7 == 0))
            at += _WORD_MS
        found.append(words)
    return found


def cues_of(sentences: list[list[RecognisedWord]], by_ms: int) -> list[CueText]:
    """Return a cue for each sentence, with words that the film does not have."""
    return [
        CueText(words[0].start_ms + by_ms, words[-1].end_ms + by_ms, tuple(word.text.upper() for word in words),
                words[-1].ends_a_question)
        for words in sentences
    ]  # fmt: skip


def test_sentences_tell_the_offset_where_nobody_pauses() -> None:
    sentences = said_sentences(1, 60)
    words = [word for sentence in sentences for word in sentence]
    region = Region(start_ms=1_000, end_ms=words[-1].end_ms)
    cues = cues_of(sentences[10:40], 77_000)
    found = find_by_speech(cues, [region], words[-1].end_ms + 1_000, words)
    assert found.is_proven
    assert [round(piece.offset_ms, -2) for piece in found.pieces] == [-77_000]
    other = cues_of(said_sentences(2, 60)[10:40], 77_000)
    assert not find_by_speech(other, [region], words[-1].end_ms + 1_000, words).is_proven


@pytest.mark.parametrize(
    ("cue", "word"),
    [
        (CueText(0, 900, ("informação",)), RecognisedWord("information", 12_000, 12_900)),
        (CueText(0, 900, ("1984",)), RecognisedWord("1984", 12_000, 12_900)),
        (
            CueText(0, 900, ("nao",), is_question=True),
            RecognisedWord("no", 12_000, 12_900, ends_a_sentence=True, ends_a_question=True),
        ),
    ],
)
def test_what_two_languages_share_tells_the_place(cue: CueText, word: RecognisedWord) -> None:
    words = [RecognisedWord("no", at, at + 900) for at in range(2_000, 30_000, 1_000) if at != 12_000]
    words = sorted([*words, word], key=lambda one: one.start_ms)
    film = FilmSpeech([Region(start_ms=2_000, end_ms=30_000)], 32_000, words)
    rating = film.rating(cue, (cue.start_ms, cue.end_ms), range(320), 1.0)
    assert rating[120] > float(np.median(rating)) + 0.5


def test_a_rating_is_0_on_average() -> None:
    words = [word for sentence in said_sentences(3, 40) for word in sentence]
    film = FilmSpeech([Region(start_ms=1_000, end_ms=words[-1].end_ms)], words[-1].end_ms + 30_000, words)
    rating = film.rating(CueText(0, 2_000, ("que",), is_question=True), (0, 2_000), range(film.size - 20), 1.0)
    assert abs(float(rating.mean())) < 0.05
