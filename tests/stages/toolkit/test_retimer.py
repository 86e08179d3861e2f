"""A subtitle file gets other times, and nothing else of it changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.toolkit.formats.reader import read
from stages.toolkit.formats.retimer import Times, retime

SRT = "1\n00:00:01,000 --> 00:00:02,000\n<i>Hello</i> {\\an8}\n\n2\n00:00:03,000 --> 00:00:04,000\nWorld\n"
VTT = (
    "WEBVTT - a title\n\nNOTE --> is an arrow\n\nSTYLE\n::cue { color: red }\n\nfirst\n"
    "00:01.000 --> 00:02.000 line:0\n<v Ann>Hel<00:00:01.500>lo\n\n00:00:03.000 --> 00:00:04.000\nWorld\n"
)
ASS = (
    "[Script Info]\nPlayResX: 640\n\n[V4+ Styles]\nFormat: Name\nStyle: Default\n\n[Events]\n"
    "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\pos(1,2)}Hello, you\n"
    "Comment: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,a note\n"
    "Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,World\n"
)
CUES: tuple[Times, Times] = ((1_000, 2_000), (3_000, 4_000))


def moved(by_ms: int) -> list[tuple[Times, Times]]:
    return [((start, end), (start + by_ms, end + by_ms)) for start, end in CUES]


@pytest.mark.parametrize("text", [SRT, VTT, ASS], ids=["srt", "vtt", "ass"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "mac"])
def test_the_cues_are_read_with_their_new_times_and_the_rest_stays(
    tmp_path: Path, text: str, encoding: str, end: str
) -> None:
    before = text.replace("\n", end).encode(encoding)
    found = retime(before, moved(61_000))
    assert found is not None
    suffix, after = found
    (tmp_path / f"after.{suffix}").write_bytes(after)
    cues = read(tmp_path / f"after.{suffix}").cues
    assert [(cue.start_ms, cue.end_ms) for cue in cues] == [(62_000, 63_000), (64_000, 65_000)]
    assert without_times(after.decode(encoding)) == without_times(before.decode(encoding))


def without_times(text: str) -> str:
    return re.sub(r"(\d+:)?\d+:\d\d[.,]\d+", "", text)


@pytest.mark.parametrize("text", [SRT, VTT, ASS, SRT.replace("00:00:01,000", "0:0:1,0")])
def test_without_a_move_every_byte_stays(text: str) -> None:
    assert retime(text.encode(), moved(0)) == (kind_of(text), text.encode())


def kind_of(text: str) -> str:
    return "vtt" if text.startswith("WEB") else "ass" if text.startswith("[") else "srt"


def test_a_text_in_an_old_encoding_keeps_its_bytes() -> None:
    before = SRT.encode().replace(b"World", b"\xcf\xf0\xe8\xe2\xe5\xf2")
    found = retime(before, moved(1_000))
    assert found is not None
    assert b"\xcf\xf0\xe8\xe2\xe5\xf2" in found[1]


def test_times_inside_a_cue_move_with_it() -> None:
    found = retime(VTT.encode(), moved(61_000))
    assert found is not None
    assert b"Hel<00:01:02.500>lo" in found[1]


def test_a_comment_of_ass_moves_with_the_cue_beside_it() -> None:
    found = retime(ASS.encode(), moved(61_000))
    assert found is not None
    assert b"Comment: 0,0:01:02.00,0:01:03.00," in found[1]


def test_cues_in_another_order_stand_in_it_with_their_numbers_in_order() -> None:
    found = retime(SRT.encode(), [(CUES[0], (9_000, 9_500)), (CUES[1], (3_000, 4_000))])
    assert found is not None
    assert found[1].decode() == (
        "1\n00:00:03,000 --> 00:00:04,000\nWorld\n\n2\n00:00:09,000 --> 00:00:09,500\n<i>Hello</i> {\\an8}\n\n"
    )


@pytest.mark.parametrize("data", [b"", b"<tt></tt>", b"\x00\x01\x02" * 50, b'{"cues": []}', SRT.encode()[:40]])
def test_another_format_or_other_cues_are_left_to_a_writer(data: bytes) -> None:
    assert retime(data, moved(1_000)) is None


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=30).filter(
    lambda line: not re.search(r"\d+\s*:|^\s*\d+\s*$", line)
)


@given(st.lists(st.tuples(_TEXT, st.integers(0, 10**6)), min_size=1, max_size=8))
def test_texts_are_untouched_to_the_letter(cues: list[tuple[str, int]]) -> None:
    at = [(number * 1_000, number * 1_000 + 500) for number in range(len(cues))]
    head = "\ufeff" if not cues else ""
    text = head + "".join(
        f"{number}\n00:00:{start // 1000:02},000 --> 00:00:{start // 1000:02},500\nX{line}\n\n"
        for number, ((line, _), (start, _)) in enumerate(zip(cues, at, strict=True), 1)
    )
    found = retime(text.encode(), [(old, (new, new + 500)) for old, (_, new) in zip(at, cues, strict=True)])
    assert found is not None
    lines = found[1].decode().split("\n")
    texts = [line for number, line in enumerate(lines) if number and "-->" in lines[number - 1]]
    in_time = sorted(range(len(cues)), key=lambda number: cues[number][1])
    assert texts == [f"X{cues[number][0]}" for number in in_time]
