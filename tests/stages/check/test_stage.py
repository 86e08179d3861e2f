"""Stage `check` on good subtitle files, and on files damaged in thirty ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.documents.cue import Cue
from shared.documents.quality_report import QualityReport
from shared.stage import Job, StageError
from shared.text.guide_limits import GuideParams
from stages.check.reader import SubtitleChecker
from stages.check.stage import CheckInputs, CheckParams, run, stub
from stages.toolkit.cues.rules import check
from tests.fakes.listener import Audience

ENGINE = SubtitleChecker()
LIMITS = GuideParams().limits("fr", 25.0)
GOOD = "1\n00:00:01,000 --> 00:00:02,000\nHello\n\n2\n00:00:03,000 --> 00:00:04,000\nWorld\n"
READ = ((1000, 2000, ("Hello",)), (3000, 4000, ("World",)))


def read(path: Path, data: bytes) -> tuple[tuple[tuple[int, int, tuple[str, ...]], ...], tuple[str, ...]]:
    path.write_bytes(data)
    found = ENGINE.read(path)
    return tuple((cue.start_ms, cue.end_ms, cue.lines) for cue in found.cues), found.repairs


_SAME_CUES = {
    "nothing at all": GOOD.encode(),
    "a byte order mark": b"\xef\xbb\xbf" + GOOD.encode(),
    "UTF-16": GOOD.encode("utf-16"),
    "line ends of Windows": GOOD.replace("\n", "\r\n").encode(),
    "line ends of old Macs": GOOD.replace("\n", "\r").encode(),
    "line ends doubled": GOOD.replace("\n", "\r\r\n").encode(),
    "no numbers": GOOD.replace("1\n00", "00").replace("\n2\n", "\n").encode(),
    "wrong numbers": GOOD.replace("2\n00", "17\n00").encode(),
    "a number before the time": GOOD.replace("1\n00", "1 00").encode(),
    "points for commas": GOOD.replace(",", ".").encode(),
    "colons for commas": GOOD.replace(",", ":").encode(),
    "one digit of a second": GOOD.replace(",000", ",0").encode(),
    "no milliseconds": GOOD.replace(",000", "").encode(),
    "one digit of an hour": GOOD.replace("00:00:0", "0:00:0").encode(),
    "no hours": GOOD.replace("00:00:0", "00:0").encode(),
    "blanks inside a time": GOOD.replace("00:00:01,000", "00: 00: 01, 000").encode(),
    "digits of another script": GOOD.replace("00:00:01", "٠٠:٠٠:٠١").encode(),
    "no blanks around the arrow": GOOD.replace(" --> ", "-->").encode(),
    "tabs around the arrow": GOOD.replace(" --> ", "\t-->\t").encode(),
    "a short arrow": GOOD.replace("-->", "->").encode(),
    "an arrow with a dash": GOOD.replace("-->", "–>").encode(),
    "coordinates": GOOD.replace("02,000", "02,000 X1:100 X2:200 Y1:10 Y2:20").encode(),
    "no blank line between cues": GOOD.replace("\n\n", "\n").encode(),
    "many blank lines": GOOD.replace("\n\n", "\n\n\n\n").encode(),
    "no line end at the end": GOOD.rstrip("\n").encode(),
    "words before the first cue": b"Ripped by nobody\n\n" + GOOD.encode(),
    "tags": GOOD.replace("Hello", '{\\an8}<font color="red"><i>Hello</i></font>').encode(),
    "a tag that is not closed": GOOD.replace("Hello", "<i>Hello").encode(),
    "UTF-16 without a mark": GOOD.encode("utf-16-le"),
    "UTF-16 without a mark, the other way round": GOOD.encode("utf-16-be"),
    "zeros between the letters": GOOD.replace("Hello", "Hel\0lo").encode(),
    "zeros where the end was lost": GOOD.encode() + bytes(4096),
    "hours of three digits": GOOD.replace("00:00:0", "000:00:0").encode(),
    "WebVTT with short times": (
        b"WEBVTT - a title\n\nNOTE --> is an arrow\n\nSTYLE\n::cue { color: red }\n\nfirst\n"
        b"00:01.000 --> 00:02.000 line:0\n<v Ann>Hello\n\n00:00:03.000 --> 00:00:04.000\n<c.loud>World</c>\n"
    ),
}  # fmt: skip

_OTHER_CUES = {
    "bytes of Windows-1252": (GOOD.replace("Hello", "Café").encode("cp1252"), 0, (1000, 2000, ("Café",))),
    "a blank line inside a cue": (
        GOOD.replace("Hello", "Hello\n\nthere").encode(),
        0,
        (1000, 2000, ("Hello", "there")),
    ),
    "a cue without text": (GOOD.replace("Hello\n", "").encode(), 0, (1000, 2000, ())),
    "a cue that goes before it comes": (GOOD.replace("02,000", "00,500").encode(), 0, (1000, 500, ("Hello",))),
    "text that is a number": (GOOD.replace("Hello", "42").encode(), 0, (1000, 2000, ("42",))),
    "a time before the beginning": (GOOD.replace("00:00:01", "-00:00:01").encode(), 0, (0, 2000, ("Hello",))),
    "UTF-16 without a mark, in Arabic": (
        GOOD.replace("Hello", "\u0645\u0631\u062d\u0628\u0627" * 12).encode("utf-16-le"),
        0,
        (1000, 2000, ("\u0645\u0631\u062d\u0628\u0627" * 12,)),
    ),
    "a minus inside a time": (GOOD.replace("00:00:01,000", "00:00:-1,-500").encode(), 0, (0, 2000, ("Hello",))),
    "100 hours": (GOOD.replace("00:00:02", "100:00:02").encode(), 0, (1000, 360_002_000, ("Hello",))),
    "an arrow in the text": (GOOD.replace("Hello", "Paris --> Rome").encode(), 0, (1000, 2000, ("Paris --> Rome",))),
}

_REFUSED = {
    "the second time is missing": (GOOD.replace(" --> 00:00:02,000", " -->").encode(), "check.time", "line 2 "),
    "cut off inside a time": (GOOD[: GOOD.index("04,000")].encode(), "check.time", "line 6 "),
    "75 minutes": (GOOD.replace("00:00:01", "00:75:01").encode(), "check.time", "line 2 "),
    "hours of four digits": (GOOD.replace("00:00:01", "1000:00:01").encode(), "check.time", "line 2 "),
    "plain text": (b"Once upon a time\n", "check.format", "'Once upon a time'"),
    "another kind of subtitles": (b"[Script Info]\nTitle: x\n", "check.format", "[Script Info]"),
    "a film": (b"\x00\x00\x00\x20ftypisom" + bytes(100), "check.format", "not text"),
}


def test_there_are_thirty_kinds_of_damage_and_more() -> None:
    assert len(_SAME_CUES) + len(_OTHER_CUES) + len(_REFUSED) - 1 >= 30


@pytest.mark.parametrize("damage", _SAME_CUES)
def test_damage_that_loses_nothing_is_put_right(damage: str, tmp_path: Path) -> None:
    assert read(tmp_path / "x.srt", _SAME_CUES[damage])[0] == READ


@pytest.mark.parametrize("damage", _OTHER_CUES)
def test_what_can_be_made_out_is_read_as_it_stands(damage: str, tmp_path: Path) -> None:
    data, index, cue = _OTHER_CUES[damage]
    cues, _ = read(tmp_path / "x.srt", data)
    assert cues[index] == cue
    assert cues[1:] == READ[1:]


@pytest.mark.parametrize("damage", _REFUSED)
def test_what_cannot_be_made_out_is_refused_with_its_place(damage: str, tmp_path: Path) -> None:
    data, code, place = _REFUSED[damage]
    with pytest.raises(StageError) as caught:
        read(tmp_path / "x.srt", data)
    assert caught.value.code == code
    assert place in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("data", [b"", b"\n \n", b"WEBVTT\n\n", b"\xef\xbb\xbf"])
def test_a_file_for_silence_is_valid_and_has_no_cue(data: bytes, tmp_path: Path) -> None:
    assert read(tmp_path / "x.srt", data) == ((), ())


def test_what_was_put_right_is_told(tmp_path: Path) -> None:
    assert "line 2" in read(tmp_path / "x.srt", _SAME_CUES["no hours"])[1][0]
    assert "Windows-1252" in read(tmp_path / "x.srt", _OTHER_CUES["bytes of Windows-1252"][0])[1][0]
    assert "8 bytes of zero" in read(tmp_path / "x.srt", GOOD.encode() + bytes(8))[1][0]
    assert "negative: text before the beginning is left out, on line 2" in "".join(
        read(tmp_path / "x.srt", _OTHER_CUES["a time before the beginning"][0])[1]
    )
    backwards = b"1\n00:00:05,000 --> 00:00:03,000\nHello\n"
    assert read(tmp_path / "x.srt", backwards)[1][0] == "the cue ends before it begins, on line 2"
    assert "hours are over 99, on line 2" in read(tmp_path / "x.srt", _OTHER_CUES["100 hours"][0])[1][0]
    assert "order" in read(tmp_path / "x.srt", (GOOD + GOOD).encode())[1][0]


def test_a_cue_that_is_gone_before_the_beginning_is_left_out(tmp_path: Path) -> None:
    data = GOOD.replace("00:00:01,000 --> 00:00:02,000", "-00:00:02,000 --> -00:00:01,000").encode()
    assert [cue[2] for cue in read(tmp_path / "x.srt", data)[0]] == [("World",)]


def a_cue(start_ms: int, end_ms: int, *lines: str) -> Cue:
    return Cue(start_ms=start_ms, end_ms=end_ms, lines=lines)


@pytest.mark.parametrize(
    ("rule", "cue", "found"),
    [
        ("line-length", a_cue(1000, 5000, "x" * 43), 43),
        ("lines", a_cue(1000, 5000, "a", "b", "c"), 3),
        ("reading-speed", a_cue(1000, 2000, "x" * 18), 18),
        ("min-duration", a_cue(1000, 1833, "x"), 833),
        ("max-duration", a_cue(1000, 8001, "x"), 7001),
        ("gap", a_cue(5000, 9950, "x"), 50),
        ("overlap", a_cue(5000, 10_400, "x"), 400),
        ("end", a_cue(19_000, 20_001, "x"), 20_001),
        ("empty", a_cue(1000, 2000, " "), 0),
        ("chain", a_cue(5000, 9600, "x"), 400),
    ],
)
def test_each_rule_is_found_broken_where_it_is_and_nowhere_else(rule: str, cue: Cue, found: float) -> None:
    report = check((cue, a_cue(10_000, 12_000, "good")), "fr", LIMITS, end_ms=20_000)
    assert [(broken.rule, broken.count, broken.worst[0].found) for broken in report.broken] == [(rule, 1, found)]
    assert report.over_limits == (rule != "chain")


def test_a_cue_just_within_every_limit_breaks_none() -> None:
    cues = (a_cue(0, 834, "x" * 14), a_cue(914, 7914, "x" * 42, "y" * 42), a_cue(7994, 8994, "x" * 17))
    assert check(cues, "fr", LIMITS, end_ms=8994).broken == ()


def test_the_worst_come_first_with_their_number_and_time() -> None:
    cues = [a_cue(at * 10_000, at * 10_000 + 1000, "x" * (17 + at)) for at in range(8)]
    broken = check(cues, "fr", LIMITS).broken[0]
    assert (broken.rule, broken.count, broken.limit) == ("reading-speed", 7, 17)
    assert [(one.number, one.found, one.start_ms) for one in broken.worst][:2] == [(8, 24, 70_000), (7, 23, 60_000)]
    assert len(broken.worst) == 5


def a_job(folder: Path, text: str, **params: str | float) -> tuple[Job[CheckInputs, CheckParams], Audience]:
    path = folder / "x.srt"
    path.write_text(text, encoding="utf-8")
    listener = Audience()
    job = Job(CheckInputs(subtitles=path), CheckParams.model_validate(params), folder, "pysubs2", listener)
    return job, listener


def test_the_limits_are_those_of_the_language(tmp_path: Path) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nनमस्ते दुनिया, कैसे हो तुम सब लोग\n"
    fast, _ = a_job(tmp_path, text, language="hi", reading_speed=10.0)
    assert QualityReport.read(run(ENGINE, fast).report).over_limits == 1
    params = CheckParams(language="hi", reading_speed=10.0, reading_speeds={"hi": 40.0})
    slow = Job(fast.inputs, params, tmp_path, "pysubs2", Audience())
    assert QualityReport.read(run(ENGINE, slow).report).over_limits == 0
    assert slow.facts == {"language": "hi", "cues": 1, "over_limits": 0}


def test_what_was_put_right_is_a_warning_of_the_step(tmp_path: Path) -> None:
    job, listener = a_job(tmp_path, GOOD.replace(",000", ""))
    run(ENGINE, job)
    assert "not written in full" in listener.warnings[0]


def test_the_stub_reports_nothing(tmp_path: Path) -> None:
    job, _ = a_job(tmp_path, GOOD)
    assert QualityReport.read(stub(job).report).cues == 0


def test_a_sign_and_a_cue_in_another_place_are_in_the_way_of_none(tmp_path: Path) -> None:
    head = "[Script Info]\nPlayResX: 640\nPlayResY: 360\n\n[Events]\n"
    head += "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    talk = "Dialogue: 0,0:00:01.00,0:00:04.00,Default,,0,0,0,,Where are we?\n"
    for other, is_free in (
        (r"{\pos(320,340)}HOTEL", True),
        (r"{\move(0,0,9,9)}HOTEL", True),
        (r"{\an8}HOTEL", True),
        (r"{\a6}HOTEL", True),
        (r"{\an2}HOTEL", False),
        ("HOTEL", False),
    ):
        path = tmp_path / "signs.ass"
        path.write_text(f"{head}{talk}Dialogue: 0,0:00:02.00,0:00:05.00,Default,,0,0,0,,{other}\n", encoding="utf-8")
        report = check(ENGINE.read(path).cues, "en", LIMITS)
        assert ("overlap" not in {broken.rule for broken in report.broken}) is is_free, other


@pytest.mark.parametrize("size", ["0", "-1", "nan", "inf", "1e999", "x", ""])
@pytest.mark.parametrize("point", ["320,340", "-5,9", "1" * 400 + ",1", "nan,1", "", "7"])
def test_a_sign_with_numbers_that_make_no_sense_is_a_cue_all_the_same(size: str, point: str, tmp_path: Path) -> None:
    path = tmp_path / "signs.ass"
    head = f"[Script Info]\nPlayResX: {size}\n\n[Events]\n"
    head += "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    commands = rf"{{\pos({point})\an{'9' * 400}\c&HFFFFFFFFFF&\b{'1' * 400}}}"
    path.write_text(f"{head}Dialogue: 0,0:00:02.00,0:00:05.00,Default,,0,0,0,,{commands}HOTEL\n", encoding="utf-8")
    assert [cue.lines for cue in ENGINE.read(path).cues] == [("HOTEL",)]
