"""Subtitles from right to left: each format says so in its own way, and the text stays in the order of speech."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from shared.documents.cue import Cue, CueSheet, Span, Style
from stages.toolkit.formats.writer import render

ASK, NAMED, PLAIN = "من هناك؟", "iPhone 15 رائع!", "- أنا، John."
TTS, XML = "{http://www.w3.org/ns/ttml#styling}", "{http://www.w3.org/XML/1998/namespace}"
RIGHT, LEFT = "\u200f", "\u200e"


def sheet(language: str, *texts: str) -> CueSheet:
    cues = (Cue(start_ms=n * 3000, end_ms=n * 3000 + 2900, lines=tuple(t.split("|"))) for n, t in enumerate(texts))
    return CueSheet(language=language, cues=tuple(cues))


def spoken(ass: str) -> list[str]:
    return re.findall(r"^Dialogue: .*,0,0,0,,(.*)$", ass, re.MULTILINE)


def encodings(ass: str) -> set[str]:
    return {line.rpartition(",")[2] for line in re.findall(r"^Style: .*$", ass, re.MULTILINE)}


@pytest.mark.parametrize("language", ["ar", "he", "fa", "ur", "ps", "yi", "uz-Arab"])
def test_ass_finds_the_direction_and_is_told_where_a_name_comes_first(language: str) -> None:
    ass = render(sheet(language, ASK, NAMED, f"{PLAIN}|15:30", "John!"), "ass")
    assert encodings(ass) == {"-1"}
    assert spoken(ass) == [ASK, RIGHT + NAMED, rf"{PLAIN}\N{RIGHT}15:30", "John!"]


def test_ass_without_such_text_stays_as_it_is() -> None:
    ass = render(sheet("en", "Hello - 15!", "אמר שלום said he"), "ass")
    assert encodings(ass) == {"1"}
    assert not re.search(f"[{RIGHT}{LEFT}]", ass)


def test_a_foreign_line_in_a_film_from_left_to_right_has_its_own_direction() -> None:
    ass = render(sheet("en", "Hello!", "שלום!", "שלום means hello."), "ass")
    assert encodings(ass) == {"-1"}
    assert spoken(ass) == ["Hello!", "שלום!", f"{LEFT}שלום means hello."]


def test_ttml_says_the_direction_of_each_paragraph() -> None:
    root = ET.fromstring(render(sheet("he", "שלום!", "John!"), "ttml").partition("\n")[2])
    assert root.get(f"{XML}lang") == "he"
    found = [(p.get(f"{TTS}direction"), p.get(f"{TTS}unicodeBidi")) for p in root.iter() if p.tag.endswith("}p")]
    assert found == [("rtl", "embed"), (None, None)]


def test_subrip_and_webvtt_keep_the_order_of_speech() -> None:
    text = sheet("ar", ASK, NAMED)
    assert f"\n{ASK}\n" in render(text, "srt")
    assert f"\n{NAMED}\n" in render(text, "srt")
    assert f"\n{ASK}\n" in render(text, "vtt")
    assert f"\n{RIGHT}{NAMED}\n" in render(text, "vtt")  # a browser goes by the first letter of each line


def test_a_look_stays_on_its_letters_behind_a_mark() -> None:
    cue = Cue(start_ms=0, end_ms=1000, lines=(NAMED,), spans=(Span(line=0, start=0, end=6, style=Style(bold=True)),))
    text = CueSheet(language="ar", cues=(cue,))
    assert "<b>iPhone</b>" in render(text, "vtt").replace(RIGHT, "")
    assert r"{\b1}iPhone{\b0}" in spoken(render(text, "ass"))[0]
