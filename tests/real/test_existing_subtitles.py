"""Existing subtitles with the real libraries: damaged files are translated, a film takes its track, text stays."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stages.toolkit.formats.reader import read
from tests.conftest import ROOT, Reel

DEMO = ROOT / "samples" / "demo.mp4"
ENGLISH = """1
00:00:01,000 --> 00:00:03,000
JOHN: I think that we should
go home before it gets dark.

2
00:00:03,500 --> 00:00:05,000
[door slams]

3
00:00:05,500 --> 00:00:08,000
- Who is there?
- It's only me.

4
00:00:08,500 --> 00:00:10,000
\u266a Happy birthday to you \u266a

5
00:00:10,500 --> 00:00:12,000
<i>The next day, everybody</i>

6
00:00:12,100 --> 00:00:14,000
<i>went back to work.</i>
"""


def _cues(path: Path) -> list[tuple[int, int, tuple[str, ...]]]:
    return [(cue.start_ms, cue.end_ms, cue.lines) for cue in read(path).cues]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_subtitle_is_translated_with_its_times_its_sounds_and_its_names(
    reel: Reel, tmp_path: Path, encoding: str
) -> None:
    subtitle = tmp_path / "film.sdh.srt"
    subtitle.write_bytes(ENGLISH.encode(encoding))
    reel("run", subtitle, "--to", "pt", "--formats", "srt,vtt,ass,ttml")
    original = _cues(subtitle)
    assert _cues(reel.out / "film" / "film.en.sdh.srt") == original, "the text tells that it is English"
    translated = _cues(reel.out / "film" / "film.pt.sdh.srt")
    assert [cue[:2] for cue in translated] == [cue[:2] for cue in original]
    lines = [" ".join(cue[2]) for cue in translated]
    assert lines[0].startswith("JOHN: ")
    assert "casa" in lines[0]
    assert lines[1] == "[door slams]"
    assert [line[:2] for line in translated[2][2]] == ["- ", "- "]
    assert lines[3].startswith("\u266a ")
    assert lines[3].endswith(" \u266a")
    assert "dia" in lines[4]
    assert (reel.out / "film" / "film.pt.sdh.ttml").is_file()


def test_a_subtitle_in_an_old_encoding_with_damaged_times_is_translated(reel: Reel, tmp_path: Path) -> None:
    subtitle = tmp_path / "filme.pt.srt"
    text = (
        "00:00:05,000 --> 00:00:06,000\nVocê não está só.\n\n1\n00:00:01,0 -> 00:00:05,500\nEu não sei o que é isso.\n"
    )
    subtitle.write_bytes(text.encode("cp1252"))
    reel("run", subtitle, "--to", "en", "--recipe", "translate")
    told = (reel.out / "filme" / "filme.en.txt").read_text(encoding="utf-8")
    assert "know" in told.splitlines()[0]
    assert "alone" in told.splitlines()[1]


def test_a_language_that_nothing_tells_is_asked_for_in_one_sentence(reel: Reel, tmp_path: Path) -> None:
    subtitle = tmp_path / "film.srt"
    subtitle.write_text("1\n00:00:01,000 --> 00:00:02,000\nAnna!\n", encoding="utf-8")
    done = reel("run", subtitle, "--to", "pt", expect=4)
    assert "read.language" in done.stderr
    assert "--language" in done.stderr
    reel("run", subtitle, "--to", "pt", "--language", "en")


def test_a_text_track_of_a_film_is_read_to_the_letter(reel: Reel, tmp_path: Path, ffmpeg: str) -> None:
    subtitle, film = tmp_path / "sub.srt", tmp_path / "film.mkv"
    subtitle.write_text(ENGLISH, encoding="utf-8")
    words: list[str | Path] = [
        "-i",
        DEMO,
        "-i",
        subtitle,
        "-map",
        "0:v:0",
        "-map",
        "0:a:0",
        "-map",
        "1",
        "-c",
        "copy",
        "-c:s",
        "srt",
    ]
    words += ["-metadata:s:a:0", "language=eng", "-metadata:s:s:0", "language=eng", film]
    subprocess.run([ffmpeg, "-v", "error", *words], check=True)
    out = tmp_path / "read"
    reel("stage", "read", film, "--backend", "ffmpeg", "--set", "read.language=en", "-o", out)
    found, original = _cues(out / "cues.json"), _cues(subtitle)
    assert [cue[2] for cue in found] == [cue[2] for cue in original]
    # The container begins with the silence that its audio codec needs before the first sample.
    assert {one[0] - other[0] for one, other in zip(found, original, strict=True)} <= set(range(60))
