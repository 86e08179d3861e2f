"""Rules that need no model: what they put right, and that they never damage a text."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.plan.language_tables import load_languages
from shared.documents.transcript import Segment, Transcript, Word
from shared.documents.translation import TranslatedSegment, Translation
from shared.text.glossary import Glossary
from stages.refine.rules import apply_rules, tidy_lines
from stages.refine.stage import RefineParams
from tests.conftest import ROOT
from tests.joining import joining

LANGUAGES = st.sampled_from(["en", "fr", "de", "es", "hi", "zh", "tr", "und", "pt-BR"])
# Letters of several scripts, marks, spaces of all kinds, joiners, and the small words that may be said twice.
PARTS = st.sampled_from(
    ["the", "The", "an", "und", "et", "had", "I", "i", "i'm", "WhisperX", "e.g.", "3.", "1,000", "a,b", "hello,world",
     "है", "धीरे", "न\u200dम", "你好", "straße", "...", "?", "!", ",", ",,", ";;", ".", " ", "  ", "\t", "\n", "\u00a0",
     "\u202f", "\u2028", ":)", "-", "ﬁne", "İ", "ŉ"]
)  # fmt: skip
TEXTS = st.lists(PARTS, max_size=12).map(" ".join) | st.text(max_size=30)


@pytest.mark.parametrize(
    ("language", "before", "after"),
    [
        ("en", "  Hello ,  world .", "Hello, world."),
        ("en", "Hello,world", "Hello, world"),
        ("en", "One,, two;; three", "One, two; three"),
        ("en", "We saw the the film and and left", "We saw the film and left"),
        ("en", "The the film", "The film"),
        ("fr", "Bonjour !\u00a0Ça va ?", "Bonjour !\u00a0Ça va ?"),
        ("de", "Brot und und Butter", "Brot und Butter"),
    ],
)
def test_what_is_plainly_wrong_is_put_right(language: str, before: str, after: str) -> None:
    assert tidy_lines([before], language) == [after]


@pytest.mark.parametrize(
    "good",
    [
        "It is what it is, and that that is, is.",
        "He had had enough; it was very, very late.",
        "No no no! Bye bye.",
        "1,000 and 3.5, at 5:30 p.m.",
        "Well ... I don't know :)",
        "Node.js and .NET, e.g. iPhone",
        "What it consists of of course matters",
        "See the The Hague file",
        "My my",
        "धीरे धीरे चलो",
        "Orang orang",
        "你好,世界",
    ],
)
def test_what_is_good_stays(good: str) -> None:
    for language in ("en", "hi", "id", "zh"):
        assert tidy_lines([good], language) == [good]


def test_a_transcript_without_any_capital_gets_them_at_the_beginning_of_sentences() -> None:
    lines = ["so i said i'm here. you are not", "at all. e.g. in 3. place", "is it? (yes) it is... maybe"]
    assert tidy_lines(lines, "en") == [
        "So I said I'm here. You are not", "at all. E.g. in 3. place", "is it? (Yes) it is... maybe",
    ]  # fmt: skip
    assert tidy_lines(["istanbul. izmir"], "tr") == ["istanbul. izmir"], "a Turkish capital is another letter"


def test_the_first_letter_of_a_text_and_of_each_sentence_is_a_capital() -> None:
    assert tidy_lines(["ever tried, ever Failed. no matter"], "en") == ["Ever tried, ever Failed. No matter"]
    assert tidy_lines(["one. two", "three. Four", "i.e. five"], "en") == ["One. Two", "three. Four", "i.e. five"]
    for good in ("iPhone sales rose. eBay's fell.", "At 5 p.m. we left, etc. and so on", "Wait... what? Yes"):
        assert tidy_lines([good], "en") == [good]


OPENERS = RefineParams.model_validate(
    {"sentence_openers": load_languages(ROOT / "config" / "languages")["sentence_openers"]}
).sentence_openers


@pytest.mark.parametrize(
    ("language", "before", "after"),
    [
        ("en", "I come from Chicago Also, I'm in", "I come from Chicago. Also, I'm in"),
        ("en", "It is down here So I don't hear that", "It is down here. So I don't hear that"),
        ("en", "You never know We had everything", "You never know. We had everything"),
        ("en", "We met in Spain They’re nice", "We met in Spain. They’re nice"),
        ("de", "Das war gut Aber dann kam er", "Das war gut. Aber dann kam er"),
        ("fr", "Il est parti Alors je dors", "Il est parti. Alors je dors"),
        ("en", "They sang Let It Be", "They sang Let It Be"),
        ("en", "I read Stephen King's It again", "I read Stephen King's It again"),
        ("en", "He was in It with you", "He was in It with you"),
        ("en", "The song You And I", "The song You And I"),
        ("en", "Well, So it goes", "Well, So it goes"),
        ("en", "He said: And then", "He said: And then"),
    ],
)
def test_a_capital_that_no_name_has_shows_where_a_sentence_begins(language: str, before: str, after: str) -> None:
    assert tidy_lines([before], language, openers=OPENERS[language], joining=joining(language).every) == [after]
    assert tidy_lines([after], language, openers=OPENERS[language], joining=joining(language).every) == [after]


def test_a_missing_stop_is_written_also_where_a_segment_ends() -> None:
    lines = ["It is down here", "", "So I don't hear that"]
    assert tidy_lines(lines, "en", openers=OPENERS["en"], joining=joining("en").every) == [
        "It is down here.",
        "",
        "So I don't hear that",
    ]


@given(st.lists(TEXTS, max_size=6), LANGUAGES)
def test_a_second_time_changes_nothing(lines: list[str], language: str) -> None:
    once = tidy_lines(lines, language)
    assert tidy_lines(once, language) == once


@given(st.lists(TEXTS, max_size=6), LANGUAGES)
def test_no_letter_is_lost_but_those_of_a_word_said_twice(lines: list[str], language: str) -> None:
    small = {"the", "an", "and", "und", "et", "des", "les", "un", "una", "uma", "um", "we", "they"}
    for before, after in zip(lines, tidy_lines(lines, language), strict=True):
        old, new = (
            ["".join(filter(str.isalnum, word)).casefold() for word in text.split()] for text in (before, after)
        )
        lost = len("".join(old)) - len("".join(new))
        dropped = [b for a, b in itertools.pairwise(old) if a == b and b in small]
        assert lost <= sum(map(len, dropped))
        if not dropped:
            assert "".join(new) == "".join(old)


@given(st.lists(TEXTS, max_size=4), LANGUAGES)
def test_segments_keep_their_ids_and_times_and_words_stay_in_order_inside_them(texts: list[str], language: str) -> None:
    segments = tuple(
        Segment(
            id=number, text=" ".join(text.split()), start_ms=number * 1000, end_ms=number * 1000 + 900,
            words=tuple(
                Word(text=word, start_ms=number * 1000 + place, end_ms=number * 1000 + place + 1, probability=0.5)
                for place, word in enumerate(text.split())
            ),
        )
        for number, text in enumerate(texts)
    )  # fmt: skip
    before = Transcript(language=language, language_probability=1, duration_ms=9000, segments=segments)
    after = apply_rules(before, None, Glossary()).transcript
    assert after.model_copy(update={"segments": ()}) == before.model_copy(update={"segments": ()})
    for was, now in zip(before.segments, after.segments, strict=True):
        assert (now.id, now.start_ms, now.end_ms, now.speaker) == (was.id, was.start_ms, was.end_ms, was.speaker)
        assert " ".join(word.text for word in now.words) == now.text if was.words else not now.words
        times = [time for word in now.words for time in (word.start_ms, word.end_ms)]
        assert times == sorted(times)
        assert {word.start_ms for word in now.words} <= {word.start_ms for word in was.words}


def test_a_translation_is_refined_in_its_own_language_and_the_transcript_left_alone() -> None:
    said = Transcript(language="en", language_probability=1, duration_ms=1, segments=())
    translation = Translation(
        source="en", target="de", segments=(TranslatedSegment(id=4, text="Brot und und Butter ,"),)
    )
    refined = apply_rules(said, translation, Glossary())
    assert refined.transcript is said
    assert refined.translation is not None
    assert refined.translation.segments == (TranslatedSegment(id=4, text="Brot und Butter,"),)


def test_terms_are_written_as_the_glossary_has_them_where_nothing_else_can_be_meant() -> None:
    terms = ["WhisperX", "Big Buck Bunny", "May", "NATO", ""]
    said = ["We saw big  buck bunny, by whisperx and nato.", "It may rain in Natoland."]
    assert tidy_lines(said, "en", terms) == ["We saw Big Buck Bunny, by WhisperX and NATO.", "It may rain in Natoland."]
