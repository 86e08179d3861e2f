"""Stage `bilingual` puts two languages into one subtitle: nothing is lost, and each language keeps its lines."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from shared.documents.cue import Cue, CueSheet, Span, Style
from shared.stage import Job
from shared.text.guide_limits import GuideParams
from stages.bilingual.pairs import Pairs
from stages.bilingual.stage import BilingualInputs, BilingualParams, run, stub
from tests.fakes.listener import Audience
from tests.joining import joining

LIMITS = GuideParams().limits("pt")


def _sheet(language: str, *cues: tuple[int, int, str]) -> CueSheet:
    made = tuple(Cue(start_ms=start, end_ms=end, lines=tuple(text.split("\n"))) for start, end, text in cues)
    return CueSheet(language=language, cues=made)


def _told(ours: CueSheet, theirs: CueSheet) -> list[tuple[int, int, tuple[str, ...]]]:
    sheet = Pairs().combine(ours, theirs, "source-above", LIMITS, joining("pt"))
    return [(cue.start_ms, cue.end_ms, cue.lines) for cue in sheet.cues]


def test_cues_with_the_same_times_go_together_line_by_line() -> None:
    ours = _sheet("en", (0, 1000, "One\ntwo."), (1000, 2000, "Three."))
    theirs = _sheet("pt", (0, 1000, "Um\ndois."), (1000, 2000, "Três."))
    assert _told(ours, theirs) == [(0, 1000, ("One", "two.", "Um", "dois.")), (1000, 2000, ("Three.", "Três."))]


def test_the_spoken_language_can_be_below_and_slanted_letters_go_with_their_line() -> None:
    span = Span(line=0, start=0, end=3, style=Style(italic=True))
    cue = Cue(start_ms=0, end_ms=1000, lines=("One",), spans=(span,))
    ours = CueSheet(language="en", cues=(cue,))
    sheet = Pairs().combine(ours, _sheet("pt", (0, 1000, "Um\ndois")), "source-below", LIMITS, joining("pt"))
    assert sheet.cues[0].lines == ("Um", "dois", "One")
    assert sheet.cues[0].spans == (span.model_copy(update={"line": 2}),)
    above = Pairs().combine(ours, _sheet("pt", (0, 1000, "Um\ndois")), "source-above", LIMITS, joining("pt"))
    assert above.cues[0].spans == (span,)


def test_a_long_cue_of_one_language_is_shared_out_among_short_ones_of_the_other() -> None:
    ours = _sheet("en", (0, 2000, "I do not know,"), (2000, 4000, "what she said."))
    theirs = _sheet("pt", (0, 4000, "Eu não sei bem, o que ela disse."))
    assert _told(ours, theirs) == [
        (0, 2000, ("I do not know,", "Eu não sei bem,")), (2000, 4000, ("what she said.", "o que ela disse."))
    ]  # fmt: skip


def test_a_sound_that_is_the_same_in_both_stands_once() -> None:
    ours, theirs = _sheet("en", (0, 1000, "[bang]")), _sheet("pt", (0, 1000, "[bang]"))
    assert _told(ours, theirs) == [(0, 1000, ("[bang]",))]


def test_what_only_one_language_has_stands_alone() -> None:
    ours = _sheet("en", (0, 1000, "One."), (9000, 9900, "[bang]"))
    theirs = _sheet("pt", (0, 1000, "Um."), (5000, 6000, "Só aqui."))
    assert _told(ours, theirs) == [
        (0, 1000, ("One.", "Um.")), (5000, 6000, ("Só aqui.",)), (9000, 9900, ("[bang]",))
    ]  # fmt: skip


_TEXT = st.lists(st.text("abc", min_size=1, max_size=9), min_size=1, max_size=12).map(" ".join)
_CUES = st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 5_000), _TEXT), max_size=8)


@given(_CUES, _CUES)
def test_no_word_of_either_language_is_lost_and_the_order_stays(
    ours: list[tuple[int, int, str]], theirs: list[tuple[int, int, str]]
) -> None:
    one = _sheet("en", *((start, start + length, text) for start, length, text in sorted(ours)))
    other = _sheet("pt", *((start, start + length, text.upper()) for start, length, text in sorted(theirs)))
    told = _told(one, other)
    words = [word for _, _, lines in told for line in lines for word in line.split()]
    assert [word for word in words if word.islower()] == [w for _, _, text in sorted(ours) for w in text.split()]
    assert [word for word in words if word.isupper()] == [
        w.upper() for _, _, text in sorted(theirs) for w in text.split()
    ]


def test_the_files_are_written_in_each_format(tmp_path: Path) -> None:
    inputs = BilingualInputs(
        cues=_sheet("en", (0, 1000, "One.")).write(tmp_path / "one.json"),
        translated=_sheet("pt", (0, 1000, "Um.")).write(tmp_path / "other.json"),
    )
    params = BilingualParams(formats=("srt", "vtt", "ass"))
    job = Job(inputs, params, tmp_path, "pysubs2", Audience())
    outputs = run(Pairs(), job)
    assert [path.name for path in outputs.files] == ["subtitles.srt", "subtitles.vtt", "subtitles.ass"]
    assert outputs.files[0].read_text(encoding="utf-8") == "1\n00:00:00,000 --> 00:00:01,000\nOne.\nUm.\n\n"
    assert "One.\\NUm." in outputs.files[2].read_text(encoding="utf-8")
    assert job.facts["language"] == "pt"
    assert [path.name for path in stub(job).files] == ["subtitles.srt", "subtitles.vtt", "subtitles.ass"]
