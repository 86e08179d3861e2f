"""The look of subtitles: written into every format that has it, read again as it was, and told where it is lost."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.cue import Cue, CueSheet, Place, Style
from shared.documents.pins import Pin, Pins
from shared.documents.transcript import Transcript
from shared.stage import Job
from shared.text.text_width import places_of_lines
from stages.subtitle.layout import LayoutEngine
from stages.subtitle.stage import SubtitleInputs, SubtitleParams, run
from stages.toolkit.cues.styles import Run, place_of, runs_of, styled
from stages.toolkit.formats.reader import read
from stages.toolkit.formats.writer import lost, render
from tests.conftest import examples
from tests.fakes.listener import Audience

TYPED = {
    "srt": "1\n00:00:01,000 --> 00:00:03,000\n{\\an8}<i>all</i>\n<i>of it</i>\n\n"
    "2\n00:00:04,000 --> 00:00:06,000\na <b>bold</b> <u>line</u>, <FONT COLOR='#FF8800'>orange</FONT> & 3 < 5\n",
    "vtt": "WEBVTT\n\n00:01.000 --> 00:03.000 line:5%\n<i>all\nof it</i>\n\n"
    "00:04.000 --> 00:06.000\na <b>bold</b> <u>line</u>, <c.c_ff8800>orange</c> &amp; 3 &lt; 5\n",
    "ass": "[Script Info]\nPlayResX: 640\nPlayResY: 360\n\n[Events]\n"
    "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    "Dialogue: 0,0:00:01.00,0:00:03.00,Default,,0,0,0,,{\\an8\\i1}all\\Nof it\n"
    "Dialogue: 0,0:00:04.00,0:00:06.00,Default,,0,0,0,,"
    "a {\\b1}bold{\\b0} {\\u1}line{\\u0}, {\\1c&H0088FF&}orange{\\r} & 3 < 5\n",
    "ttml": "<tt xmlns='http://www.w3.org/ns/ttml' xmlns:tts='http://www.w3.org/ns/ttml#styling'><head><layout>"
    "<region xml:id='up' tts:origin='10% 5%' tts:extent='80% 20%'/>"
    "<region xml:id='down' tts:origin='10% 75%' tts:extent='80% 20%' tts:displayAlign='after'/>"
    "</layout></head><body><div>"
    "<p region='up' begin='1s' end='3s' tts:fontStyle='italic'>all<br/>of it</p>"
    "<p region='down' begin='4s' end='6s'>a <span tts:fontWeight='bold'>bold</span>"
    " <span tts:textDecoration='underline'>line</span>, <span tts:color='#ff8800'>orange</span> &amp; 3 &lt; 5</p>"
    "</div></body></tt>",
}
ORANGE = Style(colour="#ff8800")
FIRST = Cue(start_ms=1000, end_ms=3000, italic=True, place=Place(anchor=8), lines=("all", "of it"))
SECOND = Cue.model_validate(
    {
        "start_ms": 4000,
        "end_ms": 6000,
        **styled(
            [[("a ", Style()), ("bold", Style(bold=True)), (" ", Style()), ("line", Style(underline=True)),
              (", ", Style()), ("orange", ORANGE), (" & 3 < 5", Style())]]
        ),
    }
)  # fmt: skip

_TEXTS = st.one_of(
    st.sampled_from(["<b>", "{\\i1}", "\\N", "a\\", "{", "}", "<", "&amp;", "-->", "- x", "x y", " ", "\u0634", "1"]),
    st.text(
        st.characters(exclude_characters="\u2060\u200e\u200f", exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=6
    ),
    st.text(alphabet="<>&;{}\\Nnib/-a ", max_size=8),
)
_STYLES = st.builds(
    Style, italic=st.booleans(), bold=st.booleans(), underline=st.booleans(),
    colour=st.sampled_from([None, "#ffffff", "#ffff00", "#ff8800", "#0a0b0c"]),
)  # fmt: skip
_LINES = st.lists(st.lists(st.tuples(_TEXTS, _STYLES), min_size=1, max_size=4), min_size=1, max_size=3)
_PLACES = st.one_of(st.none(), st.integers(1, 9).map(place_of))
_POINTS = st.tuples(st.integers(1000, 9000), st.integers(1000, 9000))


@st.composite
def cues(draw: st.DrawFn, *, with_points: bool = False) -> Cue:
    lines = [[(re.sub("[\ufffe\uffff]", "", text), style) for text, style in line] for line in draw(_LINES)]
    fields = styled(lines)
    place = draw(_PLACES)
    if with_points and draw(st.booleans()):
        place = Place(anchor=draw(st.integers(1, 9)), at=draw(_POINTS))
    return Cue(start_ms=1000, end_ms=4000, place=place, **fields)


@pytest.mark.parametrize("kind", ["srt", "vtt", "ass", "ttml"])
@examples(0.8)
@given(data=st.data(), language=st.sampled_from(["en", "ar", "und"]))
def test_a_look_that_was_written_is_read_again(
    kind: str, data: st.DataObject, language: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cue = data.draw(cues(with_points=kind != "srt"))
    path = tmp_path_factory.mktemp("x") / "sheet"
    path.write_text(render(CueSheet(language=language, cues=(cue,)), kind), encoding="utf-8")
    found = read(path)
    assert found.cues == ((cue,) if cue.lines else ()), path.read_text(encoding="utf-8")
    assert (found.repairs, found.left_out) == ((), ())


@given(_LINES)
def test_runs_and_spans_are_one_thing(lines: list[list[Run]]) -> None:
    fields = styled(lines)
    cue = Cue(start_ms=0, end_ms=1, **fields)
    assert styled(runs_of(cue)) == {**fields, "italic": False}
    assert "".join(text for runs in runs_of(cue) for text, _ in runs) == "".join(cue.lines)


@pytest.mark.parametrize("kind", TYPED)
def test_what_people_type_is_read_in_every_format(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "typed"
    path.write_text(TYPED[kind], encoding="utf-8")
    assert read(path).cues == (FIRST, SECOND)
    assert read(path).left_out == ()


def test_a_cue_without_a_look_is_written_as_ever() -> None:
    plain = Cue(start_ms=0, end_ms=1000, lines=("a",))
    assert set(plain.model_dump()) == {"start_ms", "end_ms", "lines", "speaker", "italic", "spoken"}


@pytest.mark.parametrize(
    ("kind", "typed", "left_out"),
    [
        ("srt", "<s>gone</s> <font size=3>small</font> {\\fs20}x", ("<s>", "<font size=3>", "\\fs")),
        ("vtt", "<v Ann><ruby>x</ruby> <c.loud>y</c> <lang en>z</lang>", ("<ruby>", "<c.loud>")),
    ],
)
def test_markup_that_goes_no_farther_is_named(kind: str, typed: str, left_out: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "typed"
    head, mark = ("WEBVTT\n\n", ".") if kind == "vtt" else ("1\n", ",")
    path.write_text(f"{head}00:00:01{mark}000 --> 00:00:02{mark}000\n{typed}\n", encoding="utf-8")
    assert read(path).left_out == left_out


@pytest.mark.parametrize(
    ("typed", "colour"),
    [("red", "#ff0000"), ("'#ABC'", "#aabbcc"), ('"#00ff00"', "#00ff00"), ("0000ff", "#0000ff"), ("nothing", None)],
)
def test_colours_are_read_as_people_write_them(typed: str, colour: str | None, tmp_path: Path) -> None:
    path = tmp_path / "typed"
    path.write_text(f"1\n00:00:01,000 --> 00:00:02,000\n<font color={typed}>x</font>\n", encoding="utf-8")
    assert [span.style.colour for span in read(path).cues[0].spans] == ([colour] if colour else [])


def test_a_correction_takes_its_look_into_the_other_formats(tmp_path: Path) -> None:
    transcript = Transcript(language="en", language_probability=1.0, duration_ms=9000, segments=())
    edited = tmp_path / "edited.srt"
    edited.write_text(
        TYPED["srt"] + "\n3\n00:00:07,000 --> 00:00:08,000\n{\\pos(192,100)}<s>sign</s>\n", encoding="utf-8"
    )
    (tmp_path / "out").mkdir()
    listener = Audience()
    cues = read(edited).cues
    pins = Pins(
        pins=tuple(Pin(id=str(n), correction=0, before=(), cues=(cue,), fixed=True) for n, cue in enumerate(cues))
    )
    inputs = SubtitleInputs(
        transcript=transcript.write(tmp_path / "t.json"), edited=(edited,), pins=pins.write(tmp_path / "p.json")
    )
    params = SubtitleParams(formats=("srt", "vtt", "ass", "ttml", "scc", "txt"))
    run(LayoutEngine(), Job(inputs, params, tmp_path / "out", "pysubs2", listener))
    told = {path.suffix: path.read_text(encoding="utf-8") for path in (tmp_path / "out").glob("subtitles.*")}
    assert "00:00:01.000 --> 00:00:03.000 line:0\n<i>all\nof it</i>\n" in told[".vtt"]
    assert "::cue(.c_ff8800) { color: #ff8800; }" in told[".vtt"]
    assert r"{\an8}{\i1}all\Nof it{\i0}" in told[".ass"]
    assert r"{\c&H0088FF&}orange{\c}" in told[".ass"]
    assert r"{\an2\pos(960.000,374.976)}sign" in told[".ass"]
    assert told[".srt"] == edited.read_text(encoding="utf-8")
    ET.fromstring(told[".ttml"])
    assert 'tts:fontWeight="bold"' in told[".ttml"]
    assert "<" not in told[".txt"].replace("3 < 5", "")
    assert listener.warnings == [
        "the corrected subtitles hold what only their own file keeps: <s>",
        "the scc file in en goes without italics, bold letters, underlining, colours, places on the picture and points"
        " on the picture: the format cannot hold them",
    ]
    sheet = CueSheet.read(tmp_path / "out" / "cues.json")
    assert lost(sheet, "mp4") == "colours, places on the picture and points on the picture"
    assert lost(sheet, "vtt") is None
    assert places_of_lines(sheet.cues[1].lines) == len("a bold line, orange & 3 < 5")
