"""A shorter text of a language model is taken only if its words show that it still tells the same."""

from __future__ import annotations

import json

import pytest

from shared.documents.transcript import Segment, Transcript, Word
from shared.language_model import Usage
from shared.text.glossary import Glossary, Term
from stages.condense.guard import Guard
from stages.condense.llm import Condenser
from stages.condense.stage import CondenseParams, Work
from stages.toolkit.llm.lines import Line
from stages.toolkit.llm.service import Answer, Question
from tests.joining import joining

ENGLISH = Guard(joining("en"), 0.5, frozenset({"not", "never", "don't"}), Glossary(terms=(Term(source="blue door"),)))
GERMAN = Guard(joining("de"), 0.5, frozenset({"nicht"}))
JAPANESE = Guard(joining("ja"), 0.5, frozenset())


@pytest.mark.parametrize(
    ("guard", "old", "new", "taken"),
    [
        (ENGLISH, "Well, you know, they had been waiting there for years.", "They had been waiting for years.", True),
        (ENGLISH, "They had been waiting.", "They had been waiting there for many years.", False),
        (ENGLISH, "They had been waiting.", "They had been waiting.", False),
        (ENGLISH, "They had been waiting.", "", False),
        (ENGLISH, "They waited for 12 long years, you know.", "They waited for years.", False),
        (ENGLISH, "They waited for 12 long years, you know.", "They waited for 12 years.", True),
        (ENGLISH, "We then went home with Marta yesterday.", "We went home yesterday.", False),
        (ENGLISH, "We then went home with Marta yesterday.", "We went home with Marta.", True),
        (ENGLISH, "I really do not want to go home.", "I really want to go home.", False),
        (ENGLISH, "I really do not want to go home.", "I don't want to go home.", True),
        (ENGLISH, "Look, I really want to go home.", "I never want to go home.", False),
        (ENGLISH, "She opened the blue door very slowly.", "She opened the door slowly.", False),
        (ENGLISH, "She opened the blue door very slowly.", "She opened the blue door.", True),
        (ENGLISH, "The ship sailed north through heavy ice.", "I am only a language model.", False),
        (ENGLISH, "The ship sailed north through heavy ice.", "The ship sailed.", False),  # too little is left
        (GERMAN, "Ja, der Mann ging dann langsam nach Hause.", "Der Mann ging langsam.", True),  # a noun is no name
        (JAPANESE, "彼らはそれを三年間ずっと待っていました。", "彼らは三年間待っていた。", True),
        (JAPANESE, "彼らはそれを三年間ずっと待っていました。", "お元気ですか。", False),
    ],
)
def test_a_shorter_text_is_taken_where_it_tells_the_same(guard: Guard, old: str, new: str, taken: bool) -> None:
    assert guard.accepts(Line(0, old), new) == taken


def test_a_model_sees_how_long_each_text_may_be_and_words_that_stay_keep_their_times() -> None:
    said = ["well", "they", "waited", "for", "years"]
    words = tuple(Word(text=w, start_ms=n * 10, end_ms=n * 10 + 9, probability=1) for n, w in enumerate(said))
    segments = (Segment(id=0, text="Yes.", start_ms=0, end_ms=1), Segment(
        id=1, text=" ".join(said), start_ms=0, end_ms=50, words=words, speaker="A"
    ))  # fmt: skip
    transcript = Transcript(language="en", language_probability=1, duration_ms=99, segments=segments)
    asked: list[Question] = []

    class Model:
        def ask(self, question: Question) -> Answer:
            asked.append(question)
            return Answer(json.dumps({"lines": [{"id": 1, "text": "They waited for years"}]}), Usage(requests=1))

    work = Work(transcript, None, {1: 20}, (), Glossary(), CondenseParams(), lambda done: None)
    done = Condenser(Model()).condense(work)
    (question,) = asked
    assert json.loads(question.material) == {"lines": [{"id": 1, "speaker": "A", "text": " ".join(said), "most": 20}]}
    assert done.transcript.segments[0] == segments[0]
    assert [(word.text, word.start_ms) for word in done.transcript.segments[1].words] == [
        ("They", 10), ("waited", 20), ("for", 30), ("years", 40)
    ]  # fmt: skip
    assert done.usage.requests == 1
    assert done.warnings == ()
