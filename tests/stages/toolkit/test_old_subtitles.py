"""Subtitles of old players and in old encodings are read, with a word about what was done."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.toolkit.formats.reader import read

_TIMES = "1\n00:00:01,000 --> 00:00:02,000\n"
TEXTS = {
    "cp1251": "Привет, как дела? Я не знаю, что мы будем делать. Это очень важно!",
    "koi8-r": "Привет, как дела? Я не знаю, что мы будем делать.",
    "cp1256": "مرحبا، كيف حالك؟ أنا لا أعرف ماذا سنفعل الآن. هذا مهم جدا",
    "cp1253": "Γεια σου, τι κάνεις; Δεν ξέρω τι θα κάνουμε. Αυτό είναι πολύ σημαντικό",
    "cp1255": "שלום, מה שלומך? אני לא יודע מה נעשה עכשיו. זה חשוב מאוד",
    "cp932": "こんにちは、お元気ですか。私はどうすればいいのかわかりません。",
    "gb18030": "你好，你好吗？我不知道我们该怎么办。这非常重要。",
    "big5": "你好，你好嗎？我不知道我們該怎麼辦。這非常重要。",
    "cp949": "안녕하세요, 어떻게 지내세요? 우리가 무엇을 할지 모르겠어요.",
    "cp874": "สวัสดี คุณสบายดีไหม ฉันไม่รู้ว่าเราจะทำอะไร",
    "cp1252": "Olá, não sei o que vamos fazer. É muito importante, você não acha?",
    "mac-roman": "Où est la forêt\u2009? Ça va très bien, ma chère amie.".replace("\u2009", " "),
    "utf-8-sig": "Olá, não sei.",
    "utf-16": "Olá, não sei.",
}


@pytest.mark.parametrize("encoding", sorted(TEXTS))
def test_the_encoding_of_an_old_file_is_told_from_its_bytes(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "film.srt"
    file.write_bytes((_TIMES + TEXTS[encoding] + "\n").encode(encoding))
    found = read(file)
    assert found.cues[0].lines == (TEXTS[encoding],)
    assert bool(found.repairs) == (encoding != "utf-8-sig")


def test_the_language_decides_where_the_bytes_do_not(tmp_path: Path) -> None:
    file = tmp_path / "film.srt"
    file.write_bytes((_TIMES + "Zażółć gęślą jaźń\n").encode("cp1250"))
    assert read(file, "pl").cues[0].lines == ("Zażółć gęślą jaźń",)


@pytest.mark.parametrize(
    ("text", "kind", "cues"),
    [
        ("{1}{1}25\n{25}{75}Hello|there\n{100}{150}Bye", "sub", [(1000, 3000, "Hello there"), (4000, 6000, "Bye")]),
        ("{24}{48}Hello\n", "sub", [(1001, 2002, "Hello")]),
        ("[10][20]Hello|there\n", "mpl", [(1000, 2000, "Hello there")]),
        ("0:00:01.000,0:00:02.500\nHello\n", "sbv", [(1000, 2500, "Hello")]),
        ("<SAMI><BODY>\n<SYNC Start=1000><P Class=EN>Hello\n</BODY></SAMI>", "smi", [(1000, 1835, "Hello")]),
    ],
)
def test_the_formats_of_old_players_are_read(
    tmp_path: Path, text: str, kind: str, cues: list[tuple[int, int, str]]
) -> None:
    file = tmp_path / "film.sub"
    file.write_text(text, encoding="utf-8")
    found = read(file)
    assert found.format == kind
    assert [(cue.start_ms, cue.end_ms, " ".join(cue.lines)) for cue in found.cues] == cues


def test_a_file_in_frames_without_a_rate_says_what_was_assumed(tmp_path: Path) -> None:
    file = tmp_path / "film.sub"
    file.write_text("{24}{48}Hello\n", encoding="utf-8")
    assert "23.976" in read(file).repairs[0]
