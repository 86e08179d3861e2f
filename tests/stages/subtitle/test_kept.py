"""An existing subtitle keeps its cues: their number, order, times, and each letter that nothing asks to change."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.cue import Cue, CueSheet, KeptCues
from shared.documents.transcript import Segment, Transcript
from shared.documents.translation import TranslatedSegment, Translation
from shared.stage import Job
from shared.text.guide_limits import GuideParams
from stages.assemble.parts import CueParts
from stages.subtitle.layout import LayoutEngine
from stages.subtitle.stage import LayoutOptions, SubtitleInputs, SubtitleParams, run
from stages.toolkit.cues.parts import spoken_text
from tests.fakes.listener import Audience
from tests.joining import joining

ENGINE = LayoutEngine()
LIMITS = GuideParams().limits("en", 25.0)


def _made(*cues: tuple[int, int, str]) -> tuple[Transcript, KeptCues]:
    made = tuple(Cue(start_ms=start, end_ms=end, lines=tuple(text.split("\n"))) for start, end, text in cues)
    kept, segments = CueParts().segments_of(CueSheet(language="en", kind="sdh", cues=made))
    last = max((cue.end_ms for cue in made), default=0)
    return Transcript(language="en", language_probability=1.0, duration_ms=last, segments=segments), kept


def _translation(transcript: Transcript, *texts: str) -> Translation:
    pairs = zip(transcript.segments, texts, strict=True)
    told = tuple(TranslatedSegment(id=segment.id, text=text) for segment, text in pairs)
    return Translation(source="en", target="pt", segments=told)


def _lines(transcript: Transcript, kept: KeptCues, *texts: str) -> list[tuple[str, ...]]:
    sheet = ENGINE.lay_out(
        transcript, _translation(transcript, *texts), LIMITS, LayoutOptions(joining=joining("pt"), kept=kept)
    )
    assert [(cue.start_ms, cue.end_ms) for cue in sheet.cues] == [
        (one.cue.start_ms, one.cue.end_ms) for one in kept.cues
    ]
    return [cue.lines for cue in sheet.cues]


def test_a_translation_stands_in_the_times_of_the_subtitle_in_lines_of_the_guide() -> None:
    transcript, kept = _made((0, 3000, "JOHN: I think that we\nshould go home now."), (3500, 4000, "[door slams]"))
    assert _lines(transcript, kept, "Eu acho que devemos ir para casa agora mesmo.") == [
        ("JOHN: Eu acho que devemos ir", "para casa agora mesmo."), ("[door slams]",)
    ]  # fmt: skip


def test_two_speakers_keep_a_line_each() -> None:
    transcript, kept = _made((0, 3000, "- Who is there?\n- Me."))
    assert _lines(transcript, kept, "Quem está aí?", "Eu.") == [("- Quem está aí?", "- Eu.")]


def test_a_text_too_long_for_the_guide_gets_more_lines_and_is_reported() -> None:
    transcript, kept = _made((0, 3000, "Short."))
    [lines] = _lines(transcript, kept, " ".join(["palavra"] * 16))
    assert all(len(line) <= LIMITS.line_length for line in lines)
    assert len(lines) > LIMITS.lines


_TEXT = st.text(alphabet="abcA .,-\u266a[]():", min_size=1, max_size=60)
_CUES = st.lists(
    st.tuples(st.integers(0, 60_000), st.integers(1, 4_000), st.lists(_TEXT, min_size=1, max_size=3).map("\n".join)),
    max_size=8,
)


@given(_CUES)
def test_the_spoken_language_stays_to_the_letter(cues: list[tuple[int, int, str]]) -> None:
    transcript, kept = _made(*((start, start + length, text) for start, length, text in sorted(cues)))
    sheet = ENGINE.lay_out(transcript, None, LIMITS, LayoutOptions(joining=joining("pt"), kept=kept))
    assert [(cue.start_ms, cue.end_ms, cue.lines) for cue in sheet.cues] == [
        (one.cue.start_ms, one.cue.end_ms, one.cue.lines) for one in kept.cues
    ]


@given(_CUES)
def test_a_translation_loses_no_cue_and_keeps_their_order(cues: list[tuple[int, int, str]]) -> None:
    transcript, kept = _made(*((start, start + length, text) for start, length, text in sorted(cues)))
    texts = [f"word{segment.id} " * (1 + segment.id % 5) for segment in transcript.segments]
    lines = _lines(transcript, kept, *map(str.strip, texts))
    said = re.findall(r"word\d+", " ".join(" ".join(one) for one in lines))
    assert said == " ".join(texts).split()


def test_relayout_keeps_the_words_and_gives_the_times_and_lines_of_the_guide() -> None:
    long = "This is a very long sentence that nobody could ever read in the time it has, because it never ends."
    transcript, kept = _made((0, 9000, long), (9000, 9200, "[door slams]"), (9300, 12_000, "- MARY: Who?\n- Me."))
    sheet = ENGINE.lay_out(transcript, None, LIMITS, LayoutOptions(joining=joining("en"), kept=kept, relayout=True))
    assert len(sheet.cues) == 3
    assert sheet.cues[0].lines != kept.cues[0].cue.lines
    assert all(len(line) <= LIMITS.line_length for cue in sheet.cues for line in cue.lines)
    told = " ".join(line.removeprefix("-").strip() for cue in sheet.cues for line in cue.lines)
    assert told == f"{long} [door slams] MARY: Who? Me."


def test_what_was_heard_in_between_is_laid_out_without_touching_the_subtitle() -> None:
    transcript, kept = _made((0, 2000, "First."), (8000, 9000, "Last."))
    extra = Segment(id=2, text="In between.", start_ms=1500, end_ms=6000, origin="heard")
    ordered = (transcript.segments[0], extra, transcript.segments[1])
    sheet = ENGINE.lay_out(transcript.model_copy(update={"segments": ordered}), None, LIMITS, LayoutOptions(kept=kept))
    assert [cue.lines for cue in sheet.cues] == [("First.",), ("In between.",), ("Last.",)]
    assert (sheet.cues[0].end_ms, sheet.cues[2].start_ms) == (2000, 8000)
    assert sheet.cues[1].start_ms > 2000


@pytest.mark.parametrize(("asked", "becomes"), [("full", "sdh"), ("forced", "forced")])
def test_the_files_are_of_the_kind_of_the_subtitle_unless_another_is_asked_for(
    tmp_path: Path, asked: str, becomes: str
) -> None:
    transcript, kept = _made((0, 2000, "First."))
    inputs = SubtitleInputs(
        transcript=transcript.write(tmp_path / "transcript.json"), kept=kept.write(tmp_path / "kept.json")
    )
    params = SubtitleParams.model_validate({"kind": asked})
    job = Job(inputs, params, tmp_path, "pysubs2", Audience())
    run(ENGINE, job)
    assert job.facts["kind"] == becomes


def test_the_words_of_a_subtitle_are_those_that_somebody_speaks() -> None:
    transcript, kept = _made((0, 2000, "JOHN: First. [bang]"))
    assert [segment.text for segment in transcript.segments] == [spoken_text(kept.cues[0].cue.lines)]
