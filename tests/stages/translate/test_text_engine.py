"""A text model becomes an engine with a text for each segment and every glossary term, whatever the model returns."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.transcript import Segment
from shared.text.glossary import Glossary, Term, count_in
from stages.translate.protected_terms import separate_terms, translate_protected
from stages.translate.stage import TranslateParams, Work
from stages.translate.text_engine import TextEngine

Model = Callable[[str], str]


class AsTold:
    """Translates each text by a function, and keeps what it was asked."""

    def __init__(self, model: Model) -> None:
        self.asked: list[str] = []
        self._model = model

    def translate(self, texts: Sequence[str], work: Work, tick: Callable[[int], None]) -> list[str]:
        self.asked += texts
        for _ in texts:
            tick(1)
        return [self._model(text) for text in texts]


def work_on(*texts: str, glossary: Glossary | None = None) -> tuple[Work, list[float], list[str]]:
    segments = [
        Segment(id=index, text=text, start_ms=index * 2_000, end_ms=index * 2_000 + 1_900)
        for index, text in enumerate(texts)
    ]
    done: list[float] = []
    told: list[str] = []
    terms = (glossary or Glossary()).into("pt")
    params = TranslateParams(target="pt")
    work = Work(
        Path("a.wav"), segments, "en", "pt", params, terms, done.append, told.append, told.append,
        lambda name, value: None, lambda number: None,
    )  # fmt: skip
    return work, done, told


def test_a_sentence_is_asked_once_and_shared_out() -> None:
    model = AsTold(str.upper)
    work, done, _ = work_on("we go home", "now. Yes.", "Yes.", "we go home", "now.")
    assert TextEngine(model).translate(work) == ["WE GO HOME", "NOW. YES.", "YES.", "WE GO HOME", "NOW."]
    assert model.asked == ["we go home now.", "Yes."]
    assert done[-1] == 1
    assert done == sorted(done)


def test_what_is_too_short_to_be_shared_is_translated_part_by_part() -> None:
    model = AsTold(lambda text: "Sim." if text == "yes I do." else f"<{text}>")
    work, _, _ = work_on("yes", "I", "do. Good.")
    assert TextEngine(model).translate(work) == ["<yes>", "<I>", "<do.> <Good.>"]


def test_what_comes_back_empty_is_tried_in_parts_and_told() -> None:
    model = AsTold(lambda text: "" if "home" in text else text.upper())
    work, _, told = work_on("we go", "home. Yes.", "home.")
    assert TextEngine(model).translate(work) == ["WE GO", "home. YES.", ""]
    assert told == ["1 of 3 segments came back in part and keep some of their English text"]


BUNNY = Glossary(terms=(Term(source="Big Buck Bunny"), Term(source="popcorn", targets={"pt": "pipoca"})))


@pytest.mark.parametrize(
    ("model", "written", "asked"),
    [
        (str, "Big Buck Bunny eats pipoca.", 1),
        (lambda text: text.replace("Bunny", "Coelho"), "Big Buck Bunny eats pipoca.", 2),
        (lambda text: text.lower(), "Big Buck Bunny eats pipoca.", 3),
        (lambda text: text.replace("XQ1", "XQ1 XQ1").replace("Buck", ""), "Big Buck Bunny eats pipoca.", 3),
    ],
)
def test_a_term_comes_through_however_the_model_treats_it(model: Model, written: str, asked: int) -> None:
    rounds: list[list[str]] = []

    def translate(texts: list[str]) -> list[str]:
        rounds.append(texts)
        return [model(text) for text in texts]

    apart = separate_terms("Big Buck Bunny eats popcorn.", BUNNY, "pt")
    assert translate_protected([apart], translate) == [written]
    assert len(rounds) == asked


def test_a_code_that_stands_in_the_text_already_is_not_used() -> None:
    seen: list[str] = []

    def translate(texts: list[str]) -> list[str]:
        seen.extend(texts)
        return [text.replace("Bunny", "Coelho") for text in texts]

    apart = separate_terms("XQ1 likes Big Buck Bunny.", BUNNY, "pt")
    assert translate_protected([apart], translate) == ["XQ1 likes Big Buck Bunny."]
    assert seen == ["XQ1 likes Big Buck Bunny.", "XQ1 likes XQX1."]


names = st.text("ABCdef XQ1é", min_size=1, max_size=8).map(str.strip).filter(bool)
glossaries = st.lists(
    st.builds(
        Term, source=names, targets=st.dictionaries(st.just("pt"), names), match=st.sampled_from(["word", "part"])
    ),
    unique_by=lambda term: term.source, max_size=4,
).map(lambda terms: Glossary(terms=tuple(terms)))  # fmt: skip


@given(glossaries, st.lists(st.sampled_from(["Ana", "sees", "1", ".", "XQ1", ","]) | names, max_size=12), st.integers())
def test_every_rendering_survives_a_model_that_writes_anything(
    glossary: Glossary, tokens: list[str], seed: int
) -> None:
    """As a model with random weights does: the words in another order, some missing, some in other letters."""
    chance = random.Random(seed)

    def model(text: str) -> str:
        words = text.split() or ["x"]
        chance.shuffle(words)
        del words[chance.randint(1, len(words)) :]
        return " ".join(chance.choice([word, word.lower(), word * 2]) for word in words)

    apart = separate_terms(" ".join(tokens), glossary.into("pt"), "pt")
    (written,) = translate_protected([apart], lambda texts: [model(text) for text in texts])
    kept = count_in(written, apart.renderings)
    whole = count_in(apart.with_terms(apart.renderings), apart.renderings)
    for rendering in apart.renderings:
        assert rendering in written
        assert kept[rendering] >= min(apart.renderings.count(rendering), whole[rendering])


@given(st.lists(st.sampled_from(["We go", "home.", "Yes. No", "and", "", "popcorn", "Big Buck", "Bunny."]), max_size=8))
def test_every_segment_that_says_something_gets_a_text(texts: list[str]) -> None:
    work, _, told = work_on(*texts, glossary=BUNNY)
    found = TextEngine(AsTold(lambda text: text[::-1])).translate(work)
    assert [bool(text) for text in found] == [bool(text.strip()) for text in texts]
    assert told == []
