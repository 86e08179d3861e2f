"""Stage `mux` writes all tracks of the film and the new subtitles at the right moment, and always the same bytes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.documents.cue import Cue, CueSheet, Kind
from shared.documents.media import Track
from stages.mux.burn_in import DRAWN_FILE, draw_filters
from stages.toolkit.formats.writer import render

RunStage = Callable[..., Any]
PICTURE = ("-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=4")
TONE = ("-f", "lavfi", "-i", "sine=frequency=440:duration=4")
SRT = "1\n00:00:00,500 --> 00:00:01,500\nhello\n\n2\n00:00:02,000 --> 00:00:02,800\nworld\n"
CHAPTERS = (
    ";FFMETADATA1\ntitle=A film\nartist=Somebody\n"
    "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=2000\ntitle=One\n"
    "[CHAPTER]\nTIMEBASE=1/1000\nSTART=2000\nEND=4000\ntitle=Two\n"
)


def call(ffmpeg: Path, *arguments: str | Path) -> str:
    command = [ffmpeg, "-nostdin", "-hide_banner", "-loglevel", "error", "-y", *arguments]
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def make(ffmpeg: Path, target: Path, *arguments: str | Path) -> Path:
    call(ffmpeg, *arguments, target)
    return target


def listing(ffmpeg: Path, media: Path) -> str:
    """Return what ffmpeg says of a file; it exits with 1, for want of an output."""
    command = [str(ffmpeg), "-nostdin", "-hide_banner", "-i", str(media)]
    return subprocess.run(command, check=False, capture_output=True, text=True).stderr


def tracks(ffmpeg: Path, media: Path) -> list[tuple[str, str]]:
    """Return the languages and codecs of a film's subtitles."""
    return re.findall(r"\((\w+)\): Subtitle: (\w+)", listing(ffmpeg, media))


def first_ms(ffmpeg: Path, media: Path, stream: str) -> int:
    """Return the time of a track's first packet by the file's own clock, in Matroska's milliseconds."""
    found = call(
        ffmpeg, "-copyts", "-i", media, "-map", f"0:{stream}", "-c", "copy", "-copytb", "1", "-f", "framecrc", "-"
    )
    times = [int(line.split(",")[2]) for line in found.splitlines() if line and not line.startswith("#")]
    assert "#tb 0: 1/1000" in found
    return min(times)


class Maker:
    """Subtitles and a run of both stages over one media."""

    def __init__(self, run_stage: RunStage, folder: Path) -> None:
        self._run_stage, self._folder = run_stage, folder

    def mux(
        self, media: Path, languages: tuple[str, ...] = ("en", "hi"), *, cues: bool = True, kind: Kind = "full",
        **params: Any,
    ) -> Any:  # fmt: skip
        shown = ((500, 1500, "hello"), (2000, 2800, "world"))
        made = tuple(Cue(start_ms=start, end_ms=end, lines=(text,)) for start, end, text in shown)
        sheets = []
        for language in languages:
            sheet = CueSheet(language=language, kind=kind, cues=made if cues else ())
            sheets.append(sheet.write(self._folder / f"{language}.json"))
        info = self._run_stage("demux", {"media": media}).outputs["media"]
        inputs = {"media": media, "info": info, "sheets": tuple(sheets)}
        return self._run_stage("mux", inputs, params)


@pytest.fixture
def maker(run_stage: RunStage, tmp_path: Path) -> Maker:
    return Maker(run_stage, tmp_path)


@pytest.fixture
def parts(ffmpeg: Path, tmp_path: Path) -> dict[str, Path]:
    """Return the pieces of a rich film."""
    (tmp_path / "old.srt").write_text(SRT, encoding="utf-8")
    (tmp_path / "chapters.txt").write_text(CHAPTERS, encoding="utf-8")
    (tmp_path / "font.ttf").write_bytes(b"the bytes of a font")
    film = make(ffmpeg, tmp_path / "plain.mkv", *PICTURE, *TONE, "-c:v", "mpeg4", "-c:a", "aac")
    cover = make(ffmpeg, tmp_path / "cover.png", *PICTURE, "-frames:v", "1")
    return {"film": film, "cover": cover, **{n: tmp_path / n for n in ("old.srt", "chapters.txt", "font.ttf")}}


@pytest.fixture
def rich_mkv(ffmpeg: Path, tmp_path: Path, parts: dict[str, Path]) -> Path:
    inputs = ("-i", parts["film"], "-i", parts["old.srt"], "-i", parts["chapters.txt"], "-map", "0", "-map", "1")
    tags = (
        "-map_metadata",
        "2",
        "-map_chapters",
        "2",
        "-metadata:s:a",
        "language=hin",
        "-metadata:s:s",
        "language=ger",
    )
    attached = (
        "-attach", parts["font.ttf"], "-metadata:s:t:0", "mimetype=font/ttf",
        "-attach", parts["cover"], "-metadata:s:t:1", "mimetype=image/png", "-metadata:s:t:1", "filename=cover.png",
    )  # fmt: skip
    return make(ffmpeg, tmp_path / "rich.mkv", *inputs, *tags, *attached, "-c", "copy")


@pytest.fixture
def rich_mp4(ffmpeg: Path, tmp_path: Path, parts: dict[str, Path]) -> Path:
    inputs = [part for name in ("film", "old.srt", "chapters.txt", "cover") for part in ("-i", parts[name])]
    maps = ("-map", "0", "-map", "1", "-map", "3", "-map_metadata", "2", "-map_chapters", "2")
    tags = ("-metadata:s:s", "language=spa", "-disposition:v:1", "attached_pic", "-timecode", "01:00:00:00")
    return make(ffmpeg, tmp_path / "rich.mp4", *inputs, *maps, *tags, "-c", "copy", "-c:s", "mov_text")


def test_a_matroska_film_keeps_all_it_has(maker: Maker, ffmpeg: Path, rich_mkv: Path, tmp_path: Path) -> None:
    before = rich_mkv.read_bytes()
    result = maker.mux(rich_mkv)
    video = result.outputs["video"]
    found = listing(ffmpeg, video)
    for expected in (
        "title           : A film",
        "ARTIST          : Somebody",
        "title           : Two",
        "(hin): Audio: aac",
    ):
        assert expected in found
    for expected in (
        "(ger): Subtitle: subrip",
        "(eng): Subtitle: subrip",
        "(hin): Subtitle: subrip",
        "title           : Hindi",
    ):
        assert expected in found
    assert "attached pic" in found
    call(ffmpeg, "-dump_attachment:t:0", tmp_path / "out.ttf", "-i", video, "-map", "0:a", "-t", "0", "-f", "null", "-")
    assert (tmp_path / "out.ttf").read_bytes() == b"the bytes of a font"
    assert call(ffmpeg, "-i", video, "-map", "0:s:2", "-f", "srt", "-").strip() == SRT.strip()
    assert result.warnings == []
    assert rich_mkv.read_bytes() == before


def test_what_matroska_cannot_hold_is_converted_or_carried_apart(maker: Maker, ffmpeg: Path, rich_mp4: Path) -> None:
    result = maker.mux(rich_mp4)
    found = listing(ffmpeg, result.outputs["video"])
    assert "(spa): Subtitle: subrip" in found
    assert "title           : Two" in found
    assert "TIMECODE        : 01:00:00:00" in found
    assert "attached pic" in found
    assert "major_brand" not in found.lower()
    assert "mov_text, es) to subrip" in result.facts["converted"]
    assert result.warnings == []


def test_the_default_subtitle_is_the_one_that_was_named(maker: Maker, ffmpeg: Path, rich_mkv: Path) -> None:
    found = listing(ffmpeg, maker.mux(rich_mkv, default_language="hi", keep_subtitles=False).outputs["video"])
    subtitles = [line.partition("Subtitle:")[2] for line in found.splitlines() if "Subtitle:" in line]
    assert ["(default)" in line for line in subtitles] == [False, True]


def test_an_mp4_holds_the_new_subtitles_and_those_that_it_had(maker: Maker, ffmpeg: Path, rich_mp4: Path) -> None:
    video = maker.mux(rich_mp4, container="mp4").outputs["video"]
    assert video.suffix == ".mp4"
    assert tracks(ffmpeg, video) == [("spa", "mov_text"), ("eng", "mov_text"), ("hin", "mov_text")]
    replaced = maker.mux(rich_mp4, container="mp4", keep_subtitles=False).outputs["video"]
    assert tracks(ffmpeg, replaced) == [("eng", "mov_text"), ("hin", "mov_text")]
    assert call(ffmpeg, "-i", video, "-map", "0:s:1", "-f", "srt", "-").strip() == SRT.strip()


@pytest.mark.parametrize("container", ["mkv", "mp4"])
@pytest.mark.parametrize(("kind", "flag"), [("sdh", "(hearing impaired)"), ("forced", "(forced)")])
def test_players_are_told_what_a_subtitle_is_for(
    maker: Maker, ffmpeg: Path, rich_mkv: Path, kind: Kind, flag: str, container: str
) -> None:
    made = maker.mux(rich_mkv, ("en",), kind=kind, keep_subtitles=False, container=container)
    found = listing(ffmpeg, made.outputs["video"])
    assert [flag in line for line in found.splitlines() if "Subtitle:" in line] == [True]
    title = {"mkv": "title", "mp4": "handler_name"}[container]
    named = re.findall(rf"\(eng\): Subtitle:.*\n +Metadata:\n(?: +.*\n)*? +{title} +: (.+)", found)
    assert named == [{"sdh": "English (SDH)", "forced": "English (forced)"}[kind]]


@pytest.mark.parametrize(
    "name", ["it's [a] film, 50%: \\one;.mkv", '-"रात" का शो: {x}\n=2.mkv'], ids=["signs", "dash, Hindi, new line"]
)
def test_letters_are_burnt_into_the_picture_while_they_are_said(
    maker: Maker, ffmpeg: Path, tmp_path: Path, name: str
) -> None:
    black = ("-f", "lavfi", "-i", "color=black:size=320x180:rate=10:duration=4")
    media = make(ffmpeg, tmp_path / name, *black, *TONE, "-c:v", "mpeg4", "-c:a", "aac")
    video = maker.mux(media, ("en",), burn_in="en").outputs["video"]
    assert "Subtitle:" not in listing(ffmpeg, video)

    def brightest(at_s: str) -> int:
        pixels = ("-frames:v", "1", "-vf", "signalstats,metadata=print:key=lavfi.signalstats.YMAX:file=-")
        found = call(ffmpeg, "-ss", at_s, "-i", video, *pixels, "-f", "null", "-")
        return int(float(found.rpartition("=")[2]))

    assert [brightest(at_s) > 128 for at_s in ("0.2", "1.0", "1.7", "2.4")] == [False, True, False, True]


@pytest.mark.parametrize(("language", "end_at_left"), [("he", True), ("und", True), ("en", False)])
def test_a_sentence_ends_on_the_side_where_its_language_ends_it(
    language: str, end_at_left: bool, ffmpeg: Path, tmp_path: Path
) -> None:
    """Low dots against a high letter: whatever font draws them, if it is only the outline of a box."""
    text = "\u05d0\u05d0\u05d0......" if language != "en" else "AAA......"
    sheet = CueSheet(language=language, cues=(Cue(start_ms=0, end_ms=2000, lines=(text,)),))
    (tmp_path / "drawn.ass").write_text(render(sheet, "ass"), encoding="utf-8")
    command = [ffmpeg, "-v", "error", "-f", "lavfi", "-i", "color=black:size=640x360:rate=1:duration=1"]
    drawn = ["-vf", "subtitles=drawn.ass,format=gray", "-frames:v", "1", "-f", "rawvideo", "-"]
    picture = subprocess.run([*map(str, command), *drawn], check=True, capture_output=True, cwd=tmp_path).stdout
    rows = [picture[at : at + 640] for at in range(0, len(picture), 640)]
    tops = {x: min((y for y in range(360) if rows[y][x] > 128), default=360) for x in range(640)}
    inked = [x for x in range(640) if tops[x] < 360]
    if not inked:
        pytest.skip("this machine has no font at all")
    quarter = (inked[-1] - inked[0]) // 4
    left, right = (min(tops[x] for x in inked if abs(x - end) <= quarter) for end in (inked[0], inked[-1]))
    assert (left > right) is end_at_left


def test_letters_of_india_are_drawn_joined(ffmpeg: Path, tmp_path: Path) -> None:
    """A mark of no width keeps two letters apart. Where they are drawn one by one, it changes nothing."""
    picture = Track(index=0, kind="video", codec="h264", width=320, height=180)

    def drawn(text: str) -> bytes:
        sheet = CueSheet(language="hi", cues=(Cue(start_ms=0, end_ms=2000, lines=(text,)),))
        (tmp_path / DRAWN_FILE).write_text(render(sheet, "ass"), encoding="utf-8")
        command = [ffmpeg, "-v", "error", "-f", "lavfi", "-i", "color=black:size=320x180:rate=1:duration=1"]
        frame = ["-vf", f"{draw_filters(picture)},format=gray", "-frames:v", "1", "-f", "rawvideo", "-"]
        return subprocess.run([*map(str, command), *frame], check=True, capture_output=True, cwd=tmp_path).stdout

    if drawn("\u0915") == drawn("\u0916"):
        pytest.skip("this machine has no font for Devanagari")
    assert drawn("\u0926\u093f\u0932\u094d\u0932\u0940") != drawn("\u0926\u093f\u0932\u094d\u200c\u0932\u0940")


def test_sound_that_matroska_cannot_hold_keeps_its_samples(maker: Maker, ffmpeg: Path, tmp_path: Path) -> None:
    media = make(ffmpeg, tmp_path / "old.mov", *PICTURE, *TONE, "-c:v", "mpeg4", "-c:a", "pcm_s8")
    result = maker.mux(media)
    assert "Audio: flac" in listing(ffmpeg, result.outputs["video"])

    def digest(path: Path) -> str:
        return call(ffmpeg, "-i", path, "-map", "0:a", "-c:a", "pcm_s8", "-f", "md5", "-")

    assert digest(result.outputs["video"]) == digest(media)


def test_a_film_in_avi_without_times_gets_them(maker: Maker, ffmpeg: Path, tmp_path: Path) -> None:
    media = make(ffmpeg, tmp_path / "old.avi", *PICTURE, *TONE, "-c:v", "mpeg4", "-bf", "2", "-c:a", "mp2")
    assert "Video: mpeg4" in listing(ffmpeg, maker.mux(media).outputs["video"])


@pytest.mark.parametrize("offset_s", [0, 36_000])
def test_cues_stand_at_the_right_moment_whatever_the_clock(
    maker: Maker, ffmpeg: Path, tmp_path: Path, offset_s: int
) -> None:
    late_sound = ("-itsoffset", "1", *TONE, "-map", "0", "-map", "1", "-c:v", "mpeg2video", "-c:a", "aac")
    media = make(ffmpeg, tmp_path / "broadcast.ts", *PICTURE, *late_sound, "-output_ts_offset", str(offset_s))
    video = maker.mux(media).outputs["video"]
    picture_ms = first_ms(ffmpeg, video, "V:0")
    assert first_ms(ffmpeg, video, "s:0") - picture_ms == pytest.approx(500, abs=45)
    assert first_ms(ffmpeg, video, "a:0") - picture_ms == pytest.approx(1000, abs=45)


def test_no_cue_and_no_picture_make_no_video(maker: Maker, ffmpeg: Path, tmp_path: Path, rich_mkv: Path) -> None:
    silent = maker.mux(rich_mkv, cues=False)
    assert silent.outputs["video"] is None
    assert "no cue" in silent.facts["skipped"]
    song = maker.mux(make(ffmpeg, tmp_path / "song.flac", *TONE))
    assert song.outputs["video"] is None
    assert "no picture" in song.facts["skipped"]


def test_the_same_film_gives_the_same_bytes(maker: Maker, rich_mkv: Path, rich_mp4: Path) -> None:
    for media in (rich_mkv, rich_mp4):
        assert maker.mux(media).outputs["video"].read_bytes() == maker.mux(media).outputs["video"].read_bytes()
