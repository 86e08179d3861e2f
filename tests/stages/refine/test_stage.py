"""Stage `refine` returns every segment under its id, and notes what changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.documents.transcript import Segment, Transcript
from shared.documents.translation import TranslatedSegment, Translation
from shared.language_model import Usage
from shared.stage import Job, StageError
from shared.text.glossary import Glossary, Term
from stages.refine.stage import Refined, RefineInputs, RefineJob, RefineParams, run, stub
from tests.fakes.listener import Audience

SAID = Transcript(
    language="en", language_probability=1, duration_ms=2000,
    segments=tuple(Segment(id=n, text=text, start_ms=n, end_ms=n + 1) for n, text in enumerate(["one", "two"])),
)  # fmt: skip
GERMAN = Translation(source="en", target="de", segments=tuple(TranslatedSegment(id=n, text="ja") for n in range(2)))


@dataclass
class Loud:
    """Says everything in capitals. `lose` leaves a segment out."""

    lose: bool = False
    away: str = ""
    glossary: Glossary | None = None

    def refine(
        self, transcript: Transcript, translation: Translation | None, glossary: Glossary, params: RefineParams,
        progress: Callable[[float], None],
    ) -> Refined:  # fmt: skip
        self.glossary = glossary
        usage = Usage(requests=2, input_tokens=1_000_000, output_tokens=500_000)
        if translation:
            louder = tuple(one.model_copy(update={"text": one.text.upper()}) for one in translation.segments)
            return Refined(transcript, translation.model_copy(update={"segments": louder}), ("loud",), {}, usage)
        said = tuple(one.model_copy(update={"text": one.text.upper()}) for one in transcript.segments[self.lose :])
        return Refined(transcript.model_copy(update={"segments": said}), None, ("loud",), {"kept": 0}, usage, self.away)


def a_job(folder: Path, *, translated: bool = False, terms: Glossary | str | None = None, **prices: float) -> RefineJob:
    if isinstance(terms, str):
        (folder / "terms.tsv").write_text(terms, encoding="utf-8")
    inputs = RefineInputs(
        transcript=SAID.write(folder / "in.json"),
        translation=GERMAN.write(folder / "german.json") if translated else None,
        glossary=None if terms is None else folder / "terms.tsv",
    )
    if isinstance(terms, Glossary):
        terms.write(folder / "terms.tsv")
    return Job(inputs, RefineParams.model_validate(prices), folder, "openai", Audience())


def test_a_transcript_comes_back_as_one_with_what_it_cost(tmp_path: Path) -> None:
    job = a_job(tmp_path, input_price=2.0, output_price=8.0)
    done = run(Loud(), job)
    assert done.translation is None
    assert done.transcript is not None
    assert [one.text for one in Transcript.read(done.transcript).segments] == ["ONE", "TWO"]
    assert done.text.read_text(encoding="utf-8") == "ONE\nTWO\n"
    expected = {"changed": 2, "kept": 0, "requests": 2, "input_tokens": 1_000_000, "output_tokens": 500_000}
    assert job.facts == {**expected, "cost": 6.0, "language": "en"}
    assert isinstance(job.listener, Audience)
    assert job.listener.warnings == ["loud"]


def test_what_may_be_better_another_time_is_told_and_kept_with_the_result(tmp_path: Path) -> None:
    job = a_job(tmp_path)
    run(Loud(away="the service was away"), job)
    assert job.facts["provisional"] == "the service was away"
    assert isinstance(job.listener, Audience)
    assert job.listener.warnings[-1] == "the service was away"


def test_of_a_translation_the_translation_comes_back(tmp_path: Path) -> None:
    job = a_job(tmp_path, translated=True)
    done = run(Loud(), job)
    assert done.transcript is None
    assert done.translation is not None
    assert [one.text for one in Translation.read(done.translation).segments] == ["JA", "JA"]
    assert job.facts["language"] == "de"
    assert job.facts["cost"] is None


def test_a_backend_that_loses_a_segment_is_found_out(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="changed the segments"):
        run(Loud(lose=True), a_job(tmp_path))


def test_terms_without_a_word_for_the_language_of_a_translation_are_left_out(tmp_path: Path) -> None:
    terms = Glossary(terms=(Term(source="one", targets={"hi": "एक"}), Term(source="two", targets={"de": "zwei"})))
    loud = Loud()
    run(loud, a_job(tmp_path, translated=True, terms=terms))
    assert loud.glossary is not None
    assert [term.source for term in loud.glossary.terms] == ["two"]
    run(loud, a_job(tmp_path, terms=terms))
    assert loud.glossary.terms == terms.terms


def test_a_glossary_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="not a glossary"):
        run(Loud(), a_job(tmp_path, terms="what\tever\n"))


def test_the_stub_changes_nothing(tmp_path: Path) -> None:
    done = stub(a_job(tmp_path, translated=True))
    assert done.translation is not None
    assert Translation.read(done.translation) == GERMAN
