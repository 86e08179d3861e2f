"""Every subtitle format, written and read again: the same text at the same time, whatever people say."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pytest
import srt
import webvtt
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.cue import Cue, CueSheet
from shared.documents.transcript import Segment, Transcript, Word
from shared.stage import Job, StageError
from stages.subtitle.layout import LayoutEngine
from stages.subtitle.stage import SubtitleInputs, SubtitleParams, run
from stages.toolkit.formats import closed_captions
from stages.toolkit.formats.reader import read
from stages.toolkit.formats.whisper_json import write
from stages.toolkit.formats.writer import render
from tests.conftest import examples
from tests.fakes.listener import Audience

# Half of what a format rounds times to, in milliseconds.
ROUNDED = {"srt": 0, "vtt": 0, "ttml": 0, "ass": 5}
ODD = (
    "Paris --> Rome", "<b>bold</b> & <i>not closed", "{\\an8}up {here}", "a\\Nb \\n \\h c\\", "1", "00:00:01,000",
    "x < y", "<", "&amp; &lt;", "مرحبا بالعالم!", "שלום עולם", "नमस्ते क्षत्रिय", "世界、こんにちは。", "WEBVTT", "NOTE",
    "\U0001f468\u200d\U0001f469", "e\u0301\u200d", "-- yes --", "<v Ann>", "<0>", "<00:01.5>", "<.x>",
    "{", "}", "\\", "\u266a la", "[Script Info]",
    "' \"", "Dialogue: 0", "42\u00a0%",
)  # fmt: skip
_LINES = st.one_of(
    st.sampled_from(ODD),
    st.text(st.characters(exclude_characters="\u2060"), max_size=40),
    st.text(alphabet="<>&;{}\\Nnhb-/ 1:,.", max_size=20),
)


@st.composite
def sheets(draw: st.DrawFn) -> CueSheet:
    at_ms, cues = draw(st.integers(0, 5000)), []
    for lines in draw(st.lists(st.lists(_LINES, max_size=3), max_size=6)):
        length = draw(st.integers(20, 9000))
        cues.append(Cue(start_ms=at_ms, end_ms=at_ms + length, lines=tuple(lines), speaker=draw(st.sampled_from("AB"))))
        at_ms += length + draw(st.sampled_from([0, 42, 3000, 3_600_000]))
    return CueSheet(language="en", cues=tuple(cues))


def shown(line: str) -> str:
    """Return a line as a viewer sees it: no control characters, and blanks of any kind and number are one."""
    letters = (c for c in line if unicodedata.category(c) != "Cs" and c not in "\ufffe\uffff\u2060")
    return " ".join("".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in letters).split())


def visible(cues: tuple[Cue, ...]) -> list[tuple[str, ...]]:
    lines = [tuple(text for line in cue.lines if (text := shown(line))) for cue in cues]
    return [one for one in lines if one]


@pytest.mark.parametrize("kind", ROUNDED)
@examples(1.5)
@given(sheet=sheets())
def test_what_was_written_is_read_again(kind: str, sheet: CueSheet, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("x") / "sheet"
    path.write_bytes(render(sheet, kind).encode())
    found = read(path)
    assert visible(found.cues) == visible(sheet.cues)
    assert found.repairs == ()
    kept = [cue for cue in sheet.cues if visible((cue,))]
    for one, other in zip(kept, found.cues, strict=True):
        assert abs(one.start_ms - other.start_ms) <= ROUNDED[kind]
        assert abs(one.end_ms - other.end_ms) <= ROUNDED[kind]


@examples(1.5)
@given(sheets())
def test_independent_readers_of_subrip_and_webvtt_agree(sheet: CueSheet) -> None:
    joined = visible(sheet.cues)
    cues = list(srt.parse(render(sheet, "srt")))
    assert [tuple(filter(None, map(shown, cue.content.split("\n")))) for cue in cues] == joined
    captions = webvtt.from_string(render(sheet, "vtt")).captions
    assert len(captions) == len(joined)
    kept = [cue for cue in sheet.cues if visible((cue,))]
    for cue, one, other in zip(kept, cues, captions, strict=True):
        assert (round(one.start.total_seconds() * 1000), round(one.end.total_seconds() * 1000)) == (
            cue.start_ms,
            cue.end_ms,
        )
        assert round(other.start_in_seconds * 1000) // 1000 == cue.start_ms // 1000


def a_sheet(*lines: str, language: str = "en") -> CueSheet:
    cues = [Cue(start_ms=n * 3000, end_ms=n * 3000 + 2900, lines=tuple(t.split("|"))) for n, t in enumerate(lines, 1)]
    return CueSheet(language=language, cues=tuple(cues))


def test_each_speaker_has_a_colour_and_the_first_is_white() -> None:
    sheet = a_sheet("one", "two", "one again")
    told = [cue.model_copy(update={"speaker": who}) for cue, who in zip(sheet.cues, "BAB", strict=True)]
    text = render(sheet.model_copy(update={"cues": tuple(told)}), "ass")
    styles = dict(re.findall(r"^Style: ([^,]+),(.*)$", text, re.MULTILINE))
    assert styles["Default"].split(",")[2] == "&H00FFFFFF"
    assert styles["Speaker 2"].split(",")[2] == "&H0000FFFF"
    assert re.findall(r"^Dialogue: \d,[^,]*,[^,]*,([^,]*),", text, re.MULTILINE) == ["Default", "Speaker 2", "Default"]


def test_letters_are_smaller_in_a_picture_that_is_higher_than_wide() -> None:
    def size(aspect: float) -> int:
        found = re.search(r"^Style: Default,Arial,(\d+),", render(a_sheet("x"), "ass", aspect), re.MULTILINE)
        assert found
        return int(found[1])

    assert size(9 / 16) < size(4 / 3) == size(16 / 9)


def test_captions_are_read_again_in_rows_that_line_21_holds(tmp_path: Path) -> None:
    sheet = a_sheet("It’s the time for all good people|to come to the aid of everybody", "“Sí — ¿qué?” \u266a", "42")
    path = tmp_path / "x.scc"
    path.write_text(render(sheet, "scc"), encoding="utf-8")
    found = read(path).cues
    assert [" ".join(cue.lines) for cue in found] == [
        "It's the time for all good people to come to the aid of everybody", '"Sí - ¿qué?" \u266a', "42"
    ]  # fmt: skip
    assert all(len(line) <= 32 for cue in found for line in cue.lines)
    for one, other in zip(sheet.cues, found, strict=True):
        assert abs(one.start_ms - other.start_ms) <= 34  # a frame
        assert 0 <= one.end_ms - other.end_ms <= 101  # what erases it goes before what is sent for the next one


def test_a_long_film_goes_into_captions_whole() -> None:
    sheet = a_sheet(*(f"This is the line with the number {n}|and this is the one below" for n in range(250)))
    spread = [
        c.model_copy(update={"start_ms": c.start_ms + n // 20 * 4000, "end_ms": c.end_ms + n // 20 * 4000})
        for n, c in enumerate(sheet.cues)
    ]
    text = render(sheet.model_copy(update={"cues": tuple(spread)}), "scc")
    assert len(closed_captions.read(text)) == 250


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("नमस्ते", "lack the character"),
        ("x" * 140, "4 rows of 32"),
        ("\u266a\u266a la", "came out different"),
        ("word " * 24, "as fast"),
    ],
)
def test_captions_that_cannot_be_shown_are_refused_with_the_reason(text: str, why: str) -> None:
    sheet = CueSheet(language="en", cues=(Cue(start_ms=2000, end_ms=2900, lines=(text.strip(),)),))
    with pytest.raises(StageError, match=why):
        render(sheet, "scc")


def a_transcript() -> Transcript:
    words = tuple(
        Word(text=text, start_ms=n * 500, end_ms=n * 500 + 400, probability=0.9)
        for n, text in enumerate(("Olá", "você"))
    )
    segment = Segment(id=0, text="Olá você", start_ms=0, end_ms=900, words=words, average_log_probability=-0.2)
    return Transcript(language="pt", language_probability=1.0, duration_ms=4000, segments=(segment,))


def test_whispers_json_has_whispers_keys() -> None:
    found = json.loads(write(a_transcript()))
    assert set(found) == {"text", "segments", "language"}
    (segment,) = found["segments"]
    assert set(segment) == {
        "id", "seek", "start", "end", "text", "tokens", "temperature", "avg_logprob", "compression_ratio",
        "no_speech_prob", "words",
    }  # fmt: skip
    assert found["text"] == segment["text"] == " Olá você"
    assert segment["words"][1] == {"word": " você", "start": 0.5, "end": 0.9, "probability": 0.9}


def test_a_format_that_cannot_hold_the_text_keeps_no_other_from_being_written(tmp_path: Path) -> None:
    sheet = a_transcript().model_copy(update={"language": "hi"})
    words = (Word(text="नमस्ते", start_ms=0, end_ms=900, probability=1.0),)
    segment = sheet.segments[0].model_copy(update={"text": "नमस्ते", "words": words})
    transcript = sheet.model_copy(update={"segments": (segment,)}).write(tmp_path / "t.json")
    listener = Audience()
    params = SubtitleParams(formats=("scc", "srt", "json", "whisper", "txt"), kind="sdh")
    (tmp_path / "out").mkdir()
    job = Job(SubtitleInputs(transcript=transcript), params, tmp_path / "out", "pysubs2", listener)
    names = [path.name for path in run(LayoutEngine(), job).files]
    assert names == ["subtitles.srt", "subtitles.json", "subtitles.whisper.json", "subtitles.txt"]
    assert listener.warnings[0].startswith("no scc file in hi: closed captions cannot show these subtitles")
    assert CueSheet.read(tmp_path / "out" / "subtitles.json").kind == "sdh"
    assert (tmp_path / "out" / "subtitles.txt").read_text(encoding="utf-8") == "नमस्ते\n"


def test_a_ttml_with_entities_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.ttml"
    path.write_text(
        '<?xml version="1.0"?><!DOCTYPE tt [<!ENTITY a "aa">]><tt xmlns="http://www.w3.org/ns/ttml"/>', encoding="utf-8"
    )
    with pytest.raises(StageError, match="entities"):
        read(path)
