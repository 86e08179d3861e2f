"""Stage `mux` with a fake engine: which tracks go in, as what, and when no video is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest

from shared.documents.cue import Cue, CueSheet
from shared.documents.media import Media, Track, TrackKind
from shared.stage import Job, StageError
from stages.mux.burn_in import dim_colours, draw_filters, with_font
from stages.mux.ffmpeg import mux_arguments
from stages.mux.stage import Container, Cover, KeptTrack, MuxInputs, MuxJob, MuxParams, NewSubtitle, Parts, run, stub
from stages.toolkit.formats.writer import render
from tests.fakes.listener import Audience

VIDEO = Track(index=0, kind="video", codec="h264", width=64)
SOUND = Track(index=1, kind="audio", codec="aac")


@dataclass
class FakeEngine:
    """Holds what it was told to hold; writes nothing but what it was asked for."""

    held: frozenset[str] = frozenset()
    written: list[Parts] = field(default_factory=list)
    lasts_ms: int | None = 5000

    def holds(self, media: Path, track: Track, codec: str, container: Container) -> bool:
        return codec in self.held or (codec == "copy" and track.codec in self.held)

    def write(self, parts: Parts, progress: Callable[[float], None]) -> tuple[str, ...]:
        self.written.append(parts)
        parts.target.write_bytes(b"video")
        return ()

    def length_ms(self, video: Path) -> int | None:
        return self.lasts_ms


def other(index: int, kind: TrackKind, codec: str, *, cover: bool = False) -> Track:
    return Track(index=index, kind=kind, codec=codec, cover=cover)


def a_job(
    folder: Path, tracks: tuple[Track, ...], languages: dict[str, int], params: MuxParams | None = None
) -> tuple[MuxJob, Audience]:
    """Return a job whose sheets have so many cues each."""
    info = Media(container="mov", start_ms=0, duration_ms=5000, tracks=tracks, audio_track=1, decoded_ms=5000)
    sheets = []
    for language, count in languages.items():
        cues = tuple(Cue(start_ms=n * 1000, end_ms=n * 1000 + 900, lines=("hello",)) for n in range(count))
        sheets.append(CueSheet(language=language, cues=cues).write(folder / f"{language}.json"))
    out_dir = folder / "out"
    out_dir.mkdir()
    inputs = MuxInputs(
        media=folder / "film.mp4",
        info=info.write(folder / "media.json"),
        sheets=tuple(sheets),
    )
    listener = Audience()
    return Job(inputs, params or MuxParams(), out_dir, "fake", listener), listener


def parts_of(job: MuxJob, *held: str) -> Parts:
    engine = FakeEngine(frozenset(held))
    assert run(engine, job).video == job.out_dir / f"video.{job.params.container}"
    return engine.written[0]


def test_new_subtitles_carry_the_containers_code_and_an_english_name(tmp_path: Path) -> None:
    job, _ = a_job(tmp_path, (VIDEO, SOUND), {"hi": 1, "pt-BR": 1})
    subtitles = parts_of(job).subtitles
    assert [(s.language, s.title) for s in subtitles] == [("hin", "Hindi"), ("por", "Portuguese (pt-BR)")]


def test_the_first_new_subtitle_is_the_default_unless_a_language_is_named(tmp_path: Path) -> None:
    (tmp_path / "named").mkdir()
    first, _ = a_job(tmp_path, (VIDEO,), {"en": 1, "hi": 1})
    named, _ = a_job(tmp_path / "named", (VIDEO,), {"en": 1, "hi": 1}, MuxParams(default_language="hin"))
    assert [s.default for s in parts_of(first).subtitles] == [True, False]
    assert [s.default for s in parts_of(named).subtitles] == [False, True]


def test_a_default_that_is_not_there_is_told_and_the_first_is_taken(tmp_path: Path) -> None:
    job, listener = a_job(tmp_path, (VIDEO,), {"en": 1}, MuxParams(default_language="fr"))
    assert parts_of(job).subtitles[0].default
    assert "no subtitle in fr" in listener.warnings[0]


def test_a_sheet_without_cues_is_left_out(tmp_path: Path) -> None:
    job, _ = a_job(tmp_path, (VIDEO,), {"en": 0, "hi": 2})
    assert [(s.language, s.default) for s in parts_of(job).subtitles] == [("hin", True)]


def test_no_cue_at_all_makes_no_video(tmp_path: Path) -> None:
    job, _ = a_job(tmp_path, (VIDEO,), {"en": 0, "hi": 0})
    engine = FakeEngine()
    assert run(engine, job).video is None
    assert engine.written == []
    assert job.facts["skipped"] == "there is no cue to show"


def test_sound_with_a_cover_makes_no_video(tmp_path: Path) -> None:
    job, _ = a_job(tmp_path, (SOUND, other(2, "video", "png", cover=True)), {"en": 1})
    assert run(FakeEngine(), job).video is None
    assert "no picture" in str(job.facts["skipped"])


def test_a_language_to_burn_in_that_is_not_there_is_refused(tmp_path: Path) -> None:
    job, _ = a_job(tmp_path, (VIDEO,), {"en": 1}, MuxParams(burn_in="fr"))
    with pytest.raises(StageError) as caught:
        run(FakeEngine(), job)
    assert (caught.value.code, caught.value.hint) == ("mux.burn-in", "add `--to fr`, or choose another language")


def test_a_burnt_in_language_is_no_track_and_no_other_is_shown_unasked(tmp_path: Path) -> None:
    job, _ = a_job(tmp_path, (VIDEO, SOUND), {"en": 1, "pt": 1}, MuxParams(burn_in="en"))
    parts = parts_of(job)
    assert parts.burnt is not None
    assert parts.burnt.language == "en"
    assert [(s.language, s.default) for s in parts.subtitles] == [("por", False)]
    assert [(kept.index, kept.codec) for kept in parts.kept] == [(0, "encoded"), (1, "copy")]


def test_mp4_takes_other_codecs(tmp_path: Path) -> None:
    tracks = (
        VIDEO, SOUND, other(2, "subtitle", "subrip"), other(3, "subtitle", "hdmv_pgs_subtitle"),
        other(4, "attachment", "ttf"),
    )  # fmt: skip
    job, listener = a_job(tmp_path, tracks, {"en": 1}, MuxParams(container="mp4"))
    parts = parts_of(job)
    assert {kept.index: kept.codec for kept in parts.kept} == {0: "copy", 1: "copy", 2: "mov_text"}
    assert "because MP4 cannot hold it" in listener.warnings[0]


def test_each_track_is_copied_converted_attached_or_left_out(tmp_path: Path) -> None:
    tracks = (
        VIDEO, SOUND, other(2, "subtitle", "mov_text"), other(3, "data", "chapters"), other(4, "data", "tmcd"),
        other(5, "video", "png", cover=True), other(6, "attachment", "ttf"), other(7, "audio", "pcm_s8"),
        other(8, "audio", "wmav2"), other(9, "subtitle", "eia_608"), other(10, "data", "bin_data"),
        other(11, "video", "mjpeg", cover=True),
    )  # fmt: skip
    job, listener = a_job(tmp_path, tracks, {"en": 1})
    parts = parts_of(job, "flac", "wmav2")
    kept = {kept.index: kept.codec for kept in parts.kept}
    assert kept == {0: "copy", 1: "copy", 2: "subrip", 6: "copy", 7: "flac", 8: "copy"}
    assert [(cover.index, cover.file_name) for cover in parts.covers] == [(5, "cover.png"), (11, "cover-2.jpg")]
    assert job.facts["converted"] == "track 2 (subtitle: mov_text) to subrip, track 7 (audio: pcm_s8) to flac"
    (warning,) = listener.warnings
    assert warning.endswith("track 9 (subtitle: eia_608), track 10 (data: bin_data)")


def test_the_medias_own_subtitles_can_be_left_out_without_a_warning(tmp_path: Path) -> None:
    tracks = (VIDEO, SOUND, other(2, "subtitle", "subrip"))
    job, listener = a_job(tmp_path, tracks, {"en": 1}, MuxParams(keep_subtitles=False))
    assert [kept.index for kept in parts_of(job).kept] == [0, 1]
    assert listener.warnings == []


def test_arguments_name_every_file_so_that_it_cannot_be_an_option_or_a_protocol(tmp_path: Path) -> None:
    parts = Parts(
        media=Path("-odd:name.mp4"),
        target=tmp_path / "video.mkv",
        container="mkv",
        duration_ms=1000,
        kept=(KeptTrack(0), KeptTrack(3, "subrip")),
        subtitles=(NewSubtitle(CueSheet(language="hi", cues=()), "hin", "Hindi", default=True),),
        covers=(Cover(2, "cover.png", "image/png"),),
    )
    arguments = mux_arguments(parts, [tmp_path / "between.png"], [Path("-x.srt")])
    pairs = list(pairwise(arguments))
    inputs = [after for before, after in pairs if before == "-i"]
    assert inputs == [f"file:{Path.cwd() / '-odd:name.mp4'}", f"file:{Path.cwd() / '-x.srt'}"]
    assert arguments[-1] == f"file:{tmp_path / 'video.mkv'}"
    assert [after for before, after in pairs if before == "-map"] == ["0:0", "0:3", "1:0"]
    assert ("-c:1", "subrip") in pairs
    assert ("-metadata:s:2", "language=hin") in pairs
    assert ("-disposition:2", "default") in pairs
    assert ("-metadata:s:3", "mimetype=image/png") in pairs


def test_a_stub_writes_something_where_a_video_would_be(tmp_path: Path) -> None:
    job, _ = a_job(tmp_path, (SOUND,), {"en": 1})
    video = stub(job).video
    assert video is not None
    assert video.read_bytes()
    assert video.parent == job.out_dir


def test_a_stub_without_cues_makes_no_video(tmp_path: Path) -> None:
    job, _ = a_job(tmp_path, (SOUND,), {"en": 0})
    assert stub(job).video is None
    assert job.facts["skipped"]


def test_a_second_sheet_of_one_language_is_left_out(tmp_path: Path) -> None:
    job, _ = a_job(tmp_path, (VIDEO,), {"en": 1, "pt": 1})
    other = CueSheet(language="en", cues=(Cue(start_ms=0, end_ms=900, lines=("again",)),)).write(tmp_path / "2.json")
    again = {"sheets": (*job.inputs.sheets, other)}
    twice = replace(job, inputs=job.inputs.model_copy(update=again))
    subtitles = parts_of(twice).subtitles
    assert [s.language for s in subtitles] == ["eng", "por"]
    assert subtitles[0].sheet.cues[0].lines == ("hello",)


def test_a_film_of_another_length_than_its_media_is_told(tmp_path: Path) -> None:
    job, listener = a_job(tmp_path, (VIDEO, SOUND), {"en": 1})
    assert run(FakeEngine(lasts_ms=9_000), job).video is not None
    assert "the film lasts 0:09, and the media file 0:05" in listener.warnings[0]
    assert job.facts["film_ms"] == 9_000


def test_a_picture_of_high_dynamic_range_gets_dimmer_colours_in_styles_and_codes_and_nowhere_else() -> None:
    script = "Style: Default,Arial,58,&H00FFFFFF,&H0000FFFF,0\nDialogue: 0,a &HFFFFFF b{\\c&H00FF00&}c\n"
    dim = "Style: Default,Arial,58,&H00949494,&H00009494,0\nDialogue: 0,a &HFFFFFF b{\\c&H009400&}c\n"
    assert (dim_colours(script, "pq"), dim_colours(script, None)) == (dim, script)


@pytest.mark.parametrize(
    ("size", "evened"), [((427, 240), "crop"), ((2, 3), "crop"), ((1, 9), "pad"), ((64, 48), None)]
)
def test_a_picture_of_an_odd_size_loses_a_line_unless_it_has_but_one(size: tuple[int, int], evened: str | None) -> None:
    filters = draw_filters(Track(index=0, kind="video", codec="ffv1", width=size[0], height=size[1]))
    assert [name for name in ("crop", "pad") if f"{name}=" in filters] == ([evened] if evened else [])


@pytest.mark.parametrize(
    ("language", "font"),
    [("en", "Arial"), ("ru", "Arial"), ("ar", "Arial"), ("und", "Arial"), ("ta", "Noto Sans Tamil"),
     ("hi", "Noto Sans Devanagari"), ("th", "Noto Sans Thai"), ("hi-Latn", "Arial"), ("zh", "Noto Sans CJK SC"),
     ("zh-Hant", "Noto Sans CJK TC"), ("zh-HK", "Noto Sans CJK HK"), ("ja", "Noto Sans CJK JP"),
     ("yue", "Noto Sans CJK HK"), ("ko", "Noto Sans CJK KR")],
)  # fmt: skip
def test_a_script_that_few_fonts_have_is_drawn_in_one_that_has_it(language: str, font: str) -> None:
    cue = Cue(start_ms=0, end_ms=1000, lines=("Style: none,of this",), speaker="B")
    ass = render(CueSheet(language=language, cues=(cue, cue.model_copy(update={"speaker": "A"}))), "ass")
    drawn = with_font(ass, language)
    assert [line.split(",")[1] for line in drawn.splitlines() if line.startswith("Style:")] == [font] * 2
    assert drawn.replace(font, "Arial") == ass, "nothing else changes"
