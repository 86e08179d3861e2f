"""The rules leave words out in a fixed order, and leave some texts alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.plan.language_tables import load_languages
from shared.documents.transcript import Segment, Transcript
from shared.documents.translation import TranslatedSegment, Translation
from shared.text.glossary import Glossary
from shared.text.text_width import places
from stages.condense.rules import RuleCondenser, shortened
from stages.condense.stage import CondenseParams, Work
from stages.toolkit.text.word_times import bare
from tests.conftest import ROOT

TABLES = load_languages(ROOT / "config" / "languages")
PARAMS = CondenseParams.model_validate({name: TABLES[name] for name in ("asides", "silent_subjects", "joining_words")})


def by_rules(text: str, language: str, most: int = 0) -> str:
    asides = [phrase.split() for phrase in PARAMS.asides.get(language, ())]
    return shortened(text, most, asides, frozenset(PARAMS.silent_subjects.get(language, ())))


@pytest.mark.parametrize(
    ("language", "long", "short"),
    [
        ("pt", "Ok, eu pensei, você sabe, eu ouvi falar de fundo.", "Eu pensei, ouvi falar de fundo."),
        ("pt", "Oh, eu também sou originalmente de Chicago.", "Também sou originalmente de Chicago."),
        ("pt", "Nós não tínhamos nada antes de nós.", "Não tínhamos nada antes de nós."),
        ("en", "At least, you know, they all call me that.", "At least, they all call me that."),
        ("en", "They left early, you know. We stayed.", "They left early. We stayed."),
        ("en", "Well, you know better.", "You know better."),
        ("es", "Bueno, yo no lo sé.", "No lo sé."),
        ("it", "Io non lo so, sai.", "Non lo so."),
        ("pl", "Ja nie wiem, no cóż, gdzie to jest.", "Nie wiem, gdzie to jest."),
    ],
)
def test_asides_and_subjects_that_the_verb_shows_are_left_out(language: str, long: str, short: str) -> None:
    assert by_rules(long, language) == short


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("pt", "Nem eu."), ("pt", "Eu também."), ("pt", "Eu não."), ("pt", "Eu, o rei, digo isso."), ("pt", "Oh!"),
        ("pt", "Você sabe o que eu sei."), ("pt", "Para que eu possa ver."), ("en", "Oh. Well?"),
        ("en", "I know well that it is so."), ("de", "Ich weiß es, und du auch."), ("xx", "Oh, well, you know."),
    ],
)  # fmt: skip
def test_what_says_something_stays(language: str, text: str) -> None:
    assert by_rules(text, language) == text


def test_no_more_goes_than_has_to() -> None:
    text = "Ok, eu pensei, você sabe, eu ouvi falar de fundo."
    assert by_rules(text, "pt", places(text)) == text
    assert by_rules(text, "pt", places(text) - 8) == "Ok, eu pensei, eu ouvi falar de fundo."


_WORDS = st.lists(
    st.sampled_from(["Oh,", "eu", "você", "sabe,", "não", "vi.", "Bem,", "Eu", "disse,", "nós"]), max_size=12
)


@given(_WORDS, st.integers(0, 60))
def test_what_is_left_are_words_of_the_text_in_their_order(words: list[str], most: int) -> None:
    left = iter(map(bare, words))
    assert all(bare(word) in left for word in by_rules(" ".join(words), "pt", most).split())


def test_only_segments_that_are_too_long_are_touched_and_a_negation_stays() -> None:
    said = Transcript(
        language="en", language_probability=1, duration_ms=9000,
        segments=tuple(Segment(id=n, text="Well, no.", start_ms=n * 1000, end_ms=n * 1000 + 900) for n in (0, 1)),
    )  # fmt: skip
    told = Translation(
        source="en", target="pt",
        segments=(TranslatedSegment(id=0, text="Bem, eu não sei disso."), TranslatedSegment(id=1, text="Bem, sim.")),
    )  # fmt: skip
    work = Work(said, told, {0: 5}, ("não",), Glossary(), PARAMS, lambda done: None)
    done = RuleCondenser().condense(work).translation
    assert done is not None
    assert [segment.text for segment in done.segments] == ["Não sei disso.", "Bem, sim."]
