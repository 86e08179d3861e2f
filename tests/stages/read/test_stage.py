"""Stage `read` gives every cue of an existing subtitle as it stands, and its language or a question."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.cue import CueSheet
from shared.stage import Job, StageError
from shared.text.timecode import timecode
from stages.read.files import FileReader
from stages.read.stage import ReadInputs, ReadParams, run, stub
from tests.fakes.listener import Audience

_WORDS = {"en": ("the", "you", "and", "is", "it", "that", "what", "we", "not", "do", "go", "to")}
ENGLISH = "I do not know what you want to do with it, and that is not what we should do."


def _read(folder: Path, text: str | bytes, **params: object) -> tuple[CueSheet, Audience]:
    file, audience = folder / "content", Audience()
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    out = folder / "out"
    out.mkdir(exist_ok=True)
    chosen = ReadParams.model_validate({"common_words": _WORDS, **params})
    outputs = run(FileReader(), Job(ReadInputs(subtitles=file), chosen, out, "pysubs2", audience))
    return CueSheet.read(outputs.cues), audience


def test_the_cues_come_in_order_of_time_with_their_lines(tmp_path: Path) -> None:
    text = "2\n00:00:05,000 --> 00:00:06,000\nSecond.\n\n1\n00:00:01,000 --> 00:00:02,000\nFirst\nof all.\n"
    sheet, audience = _read(tmp_path, text, language="en", kind="sdh")
    assert [cue.lines for cue in sheet.cues] == [("First", "of all."), ("Second.",)]
    assert (sheet.language, sheet.kind) == ("en", "sdh")
    assert audience.warnings == ["the cues are not in order of time"]


def test_the_text_tells_the_language_that_no_name_says(tmp_path: Path) -> None:
    sheet, _ = _read(tmp_path, f"1\n00:00:01,000 --> 00:00:05,000\n{ENGLISH}\n")
    assert sheet.language == "en"


def test_a_language_that_nothing_tells_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(StageError) as raised:
        _read(tmp_path, "1\n00:00:01,000 --> 00:00:05,000\nAnna! Peter!\n")
    assert raised.value.code == "read.language"
    assert "--language" in (raised.value.hint or "")


def test_a_name_that_the_text_contradicts_is_reported(tmp_path: Path) -> None:
    _, audience = _read(tmp_path, f"1\n00:00:01,000 --> 00:00:05,000\n{ENGLISH}\n", language="it")
    assert any("English" in warning and "Italian" in warning for warning in audience.warnings)


@pytest.mark.parametrize("text", ["", "1\n00:00:01,000 --> 00:00:02,000\n\n", "WEBVTT\n\n"])
def test_a_subtitle_without_text_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(StageError) as raised:
        _read(tmp_path, text, language="en")
    assert raised.value.code in {"read.empty", "check.format"}


def test_a_subtitle_that_reel_chose_itself_is_left_out_if_it_cannot_be_read(tmp_path: Path) -> None:
    sheet, audience = _read(tmp_path, "<html>not found</html>", language="en", strict=False)
    assert sheet.cues == ()
    assert audience.warnings[0].startswith("the subtitle is not used: ")


_LINES = st.lists(
    st.text(alphabet="abc 'éñ,.?!", min_size=1, max_size=12).map(str.strip).filter(bool), min_size=1, max_size=3
)
_CUES = st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 5_000), _LINES), min_size=1, max_size=8)


@given(_CUES)
def test_no_cue_is_lost_and_no_text_changes(
    tmp_path_factory: pytest.TempPathFactory, cues: list[tuple[int, int, list[str]]]
) -> None:
    text = "".join(
        f"{number}\n{timecode(start)} --> {timecode(start + length)}\n" + "\n".join(lines) + "\n\n"
        for number, (start, length, lines) in enumerate(cues, 1)
    )
    sheet, _ = _read(tmp_path_factory.mktemp("read"), text, language="en")
    expected = sorted((start, start + length, tuple(lines)) for start, length, lines in cues)
    assert sorted((cue.start_ms, cue.end_ms, cue.lines) for cue in sheet.cues) == expected


def test_the_stub_makes_a_cue_whatever_the_file_holds(tmp_path: Path) -> None:
    file = tmp_path / "content"
    file.write_text("anything", encoding="utf-8")
    outputs = stub(Job(ReadInputs(subtitles=file), ReadParams(language="pt"), tmp_path, "stub", Audience()))
    sheet = CueSheet.read(outputs.cues)
    assert (sheet.language, [cue.lines for cue in sheet.cues]) == ("pt", [("Hello.",)])
