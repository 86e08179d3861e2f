"""Stage `entities` groups the mentions of a name, with the times of their words, and proposes a glossary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from shared.documents.transcript import Segment, Transcript, Word
from shared.stage import Job
from shared.text.glossary import Glossary
from stages.entities.stage import (
    Entities,
    EntitiesInputs,
    EntitiesJob,
    EntitiesParams,
    Kind,
    Span,
    run,
    stub,
    time_of,
)
from tests.fakes.listener import Audience


@dataclass
class Fake:
    """Finds these names wherever they stand."""

    names: dict[str, Kind]
    confidence: float = 0.9

    def find(self, texts: Sequence[str], progress: Callable[[float], None]) -> Sequence[Sequence[Span]]:
        return [
            [
                Span(text.index(name), text.index(name) + len(name), kind, self.confidence)
                for name, kind in self.names.items()
                if name in text
            ]
            for text in texts
        ]


def a_job(folder: Path, *texts: str, **params: JsonValue) -> EntitiesJob:
    segments = tuple(
        Segment(
            id=n, text=text, start_ms=n * 10_000, end_ms=n * 10_000 + 9_000,
            words=tuple(
                Word(text=word, start_ms=n * 10_000 + w * 100, end_ms=n * 10_000 + w * 100 + 90, probability=1)
                for w, word in enumerate(text.split())
            ),
        )
        for n, text in enumerate(texts)
    )  # fmt: skip
    said = Transcript(language="en", language_probability=1, duration_ms=90_000, segments=segments)
    inputs = EntitiesInputs(transcript=said.write(folder / "in.json"))
    return Job(inputs, EntitiesParams.model_validate(params), folder, "wikineural", Audience())


def test_all_mentions_of_a_name_are_one_entity_with_the_times_of_its_words(tmp_path: Path) -> None:
    job = a_job(tmp_path, "We met Marta Lopez.", "MARTA LOPEZ lives in Oslo", "Oslo is where Marta Lopez was.")
    done = run(Fake({"Marta Lopez": "person", "MARTA LOPEZ": "person", "Oslo": "place"}), job)
    first, second = Entities.read(done.entities).entities
    assert (first.name, first.kind, len(first.mentions)) == ("Marta Lopez", "person", 3)
    assert [(one.segment, one.start_ms, one.end_ms) for one in first.mentions] == [
        (0, 200, 390), (1, 10_000, 10_190), (2, 20_300, 20_490),
    ]  # fmt: skip
    assert (second.name, len(second.mentions)) == ("Oslo", 2)
    assert job.facts["persons"] == 1


def test_the_proposal_is_a_glossary_that_keeps_each_name(tmp_path: Path) -> None:
    job = a_job(tmp_path, "Marta's boat in Oslo", "Oslo again", min_mentions=1)
    done = run(Fake({"Marta's": "person", "Oslo": "place"}), job)
    glossary = Glossary.read(done.glossary)
    assert {term.source: term.rendering("hi") for term in glossary.terms} == {"Oslo": "Oslo", "Marta": "Marta"}
    assert "said 2 times" in glossary.terms[0].note
    few = run(Fake({"Marta's": "person", "Oslo": "place"}), a_job(tmp_path, "Marta's", "Oslo", "Oslo", min_mentions=2))
    assert [term.source for term in Glossary.read(few.glossary).terms] == ["Oslo"]


def test_what_the_model_is_not_sure_of_and_kinds_nobody_asked_for_are_left_out(tmp_path: Path) -> None:
    doubtful = run(Fake({"Oslo": "place"}, confidence=0.5), a_job(tmp_path, "Oslo"))
    assert Entities.read(doubtful.entities).entities == ()
    other = run(Fake({"Oslo": "place"}), a_job(tmp_path, "Oslo", kinds=["person"]))
    assert Entities.read(other.entities).entities == ()
    assert Glossary.read(other.glossary).terms == ()


def test_a_segment_without_words_gives_a_name_its_share_of_the_time() -> None:
    segment = Segment(id=0, text="0123456789", start_ms=1000, end_ms=2000)
    assert time_of(segment, 2, 5) == (1200, 1500)
    assert time_of(segment.model_copy(update={"text": ""}), 0, 0) == (1000, 1000)


def test_a_silent_film_has_no_names(tmp_path: Path) -> None:
    assert Entities.read(run(Fake({}), a_job(tmp_path)).entities).entities == ()
    assert Entities.read(stub(a_job(tmp_path, "Oslo")).entities).entities == ()
