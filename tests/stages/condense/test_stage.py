"""Stage `condense` shortens text that is too fast to read, and touches nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import JsonValue

from shared.documents.cue import Cue, CueSheet
from shared.documents.speech import Region
from shared.documents.transcript import Segment, Transcript
from shared.documents.translation import TranslatedSegment, Translation
from shared.language_model import Usage
from shared.stage import Job
from shared.text.glossary import Glossary, Term
from stages.condense.stage import Condensed, CondenseInputs, CondenseJob, CondenseParams, Work, run, too_long
from tests.fakes.listener import Audience

SAID = ("Yes.", "They had been waiting for it for three whole years", "and nobody came")
TRANSCRIPT = Transcript(
    language="en", language_probability=1, duration_ms=9000,
    segments=tuple(Segment(id=n, text=text, start_ms=n * 2000, end_ms=n * 2000 + 1900) for n, text in enumerate(SAID)),
)  # fmt: skip


def a_cue(start_ms: int, end_ms: int, *lines: str) -> Cue:
    return Cue(start_ms=start_ms, end_ms=end_ms, lines=lines, spoken=Region(start_ms=start_ms, end_ms=end_ms))


CUES = (a_cue(0, 1900, SAID[0]), a_cue(2000, 3900, SAID[1][:25], SAID[1][26:]), a_cue(4000, 5900, SAID[2]))


@dataclass
class Half:
    """Leaves of each text the first half of its words."""

    asked: list[Work] = field(default_factory=list)

    def condense(self, work: Work) -> Condensed:
        self.asked.append(work)

        def shorter(number: int, text: str) -> str:
            return " ".join(text.split()[: len(text.split()) // 2]) if number in work.most else text

        usage = Usage(requests=1, input_tokens=1_000_000, output_tokens=500_000)
        if work.translation:
            made = tuple(
                one.model_copy(update={"text": shorter(one.id, one.text)}) for one in work.translation.segments
            )
            return Condensed(work.transcript, work.translation.model_copy(update={"segments": made}), (), usage, "away")
        said = tuple(one.model_copy(update={"text": shorter(one.id, one.text)}) for one in work.transcript.segments)
        return Condensed(work.transcript.model_copy(update={"segments": said}), None, ("shorter",), usage)


def a_job(
    folder: Path, *, cues: tuple[Cue, ...] = CUES, translation: Translation | None = None, **params: JsonValue
) -> CondenseJob:
    table = Glossary(terms=(Term(source="years", target="Jahre"), Term(source="nobody", targets={"hi": "x"})))
    inputs = CondenseInputs(
        transcript=TRANSCRIPT.write(folder / "in.json"),
        cues=CueSheet(language="de" if translation else "en", cues=cues).write(folder / "cues.json"),
        translation=translation.write(folder / "german.json") if translation else None,
        glossary=table.write(folder / "terms.tsv"),
    )
    return Job(inputs, CondenseParams.model_validate({"reading_speed": 20.0, **params}), folder, "openai", Audience())


def test_only_what_is_too_fast_is_asked_for_and_the_rest_stays(tmp_path: Path) -> None:
    engine, job = Half(), a_job(tmp_path, input_price=2.0)
    outputs = run(engine, job)
    assert outputs.transcript is not None
    texts = [segment.text for segment in Transcript.read(outputs.transcript).segments]
    assert texts == [SAID[0], "They had been waiting for", SAID[2]]
    assert engine.asked[0].most == {1: 50 - 11}  # 38 of its 49 letters, in two lines, can be read in 1.9 s
    assert {job.facts[name] for name in ("too_fast", "shortened")} == {1}
    assert job.facts["cost"] == 2.0
    assert isinstance(job.listener, Audience)
    assert job.listener.warnings == ["shorter"]


def test_where_every_cue_can_be_read_nobody_is_asked(tmp_path: Path) -> None:
    engine, job = Half(), a_job(tmp_path, cues=CUES[::2])
    outputs = run(engine, job)
    assert outputs.transcript is outputs.translation is None
    assert engine.asked == []
    assert job.facts["too_fast"] == 0


def test_a_translation_is_shortened_with_its_own_terms(tmp_path: Path) -> None:
    texts = ("Ja.", "Sie hatten drei ganze Jahre lang darauf gewartet", "und niemand kam")
    segments = tuple(TranslatedSegment(id=n, text=text) for n, text in enumerate(texts))
    german = Translation(source="en", target="de", segments=segments)
    engine = Half()
    job = a_job(tmp_path, translation=german)
    outputs = run(engine, job)
    assert job.facts["provisional"] == "away"
    assert outputs.translation is not None
    assert [one.text for one in Translation.read(outputs.translation).segments][::2] == [texts[0], texts[2]]
    assert [term.source for term in engine.asked[0].terms.terms] == ["Jahre"]
    assert engine.asked[0].language == "de"


@pytest.mark.parametrize(
    ("cue", "most"),
    [
        (a_cue(0, 1900, "x" * 40), {0: 2}),  # it has four places, of which half must stay
        (a_cue(1000, 2900, "x" * 40), {0: 3, 1: 49}),  # of two segments, each in its time
        (a_cue(1000, 2900, "x" * 38), {}),
        (a_cue(1000, 2900, "x" * 38).model_copy(update={"spoken": None}), {}),
    ],
    ids=["half stays", "of two", "can be read", "of another hand"],
)
def test_a_cue_counts_against_the_segments_it_was_made_from(cue: Cue, most: dict[int, int]) -> None:
    texts = dict(enumerate(SAID))
    assert too_long((cue,), TRANSCRIPT.segments, texts, 20.0, 0.5) == most


def test_a_cue_over_a_long_segment_that_others_began_in_is_found() -> None:
    segments = [Segment(id=0, text="a" * 90, start_ms=0, end_ms=8000)]
    segments += [Segment(id=n, text="b" * 9, start_ms=n * 1000, end_ms=n * 1000 + 500) for n in range(1, 6)]
    texts = {segment.id: segment.text for segment in segments}
    assert set(too_long((a_cue(7000, 8000, "x" * 30),), segments, texts, 20.0, 0.5)) == {0}
