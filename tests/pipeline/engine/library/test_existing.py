"""Existing subtitles: the requested languages that a film has and those that it lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.engine.library.existing import Existing, RequestedSubtitles, language_of_sound
from pipeline.engine.library.sidecars import Sidecars
from pipeline.engine.library.tracks import TrackIndex, parse_tracks
from pipeline.store.index import Index
from stages.demux.stage import DemuxParams

INSIDE = """\
  Stream #0:0(eng): Audio: aac (default) (comment)
  Stream #0:1(fre): Audio: aac
    Metadata:
      title           : Original
  Stream #0:2(ger): Audio: aac
  Stream #0:3(ger): Subtitle: subrip (srt)
"""


def found(folder: Path, requested: RequestedSubtitles) -> tuple[tuple[str, ...], bool]:
    """Return the targets that the film in a folder lacks, and whether it is passed over."""
    tracks = TrackIndex(Index(folder / "none.sqlite"), Path.read_text, 1)
    existing = Existing(Sidecars(), tracks)
    result = existing.find(folder / "film.mkv", requested)
    return result.missing, bool(result.reason)


@pytest.mark.parametrize(
    ("params", "language"),
    [
        (DemuxParams(), "fr"),
        (DemuxParams(audio_track=0), "en"),
        (DemuxParams(audio_language="de"), "de"),
        (DemuxParams(audio_language="ja"), None),
        (DemuxParams(audio_track=7), None),
    ],
)
def test_a_films_language_is_that_of_the_audio_track_to_transcribe(params: DemuxParams, language: str | None) -> None:
    assert language_of_sound(Path("film.mkv"), parse_tracks(INSIDE), params) == language


@pytest.mark.parametrize(
    ("requested", "beside", "expected"),
    [
        (RequestedSubtitles((), None, DemuxParams()), [], ((), False)),  # French is spoken, German is inside
        (RequestedSubtitles((), None, DemuxParams(audio_track=2)), [], ((), True)),
        (RequestedSubtitles((), "de", DemuxParams()), [], ((), True)),
        (RequestedSubtitles((), None, DemuxParams()), ["film.fr-CA.srt"], ((), True)),
        (RequestedSubtitles((), None, DemuxParams()), ["film.srt"], ((), True)),
        (RequestedSubtitles(("de", "en"), None, DemuxParams()), [], (("en",), False)),
        (RequestedSubtitles(("de", "en"), None, DemuxParams()), ["film.srt"], (("en",), False)),
        (RequestedSubtitles(("de", "en"), None, DemuxParams()), ["film.en.forced.srt"], (("en",), False)),
        (RequestedSubtitles(("de", "en"), None, DemuxParams()), ["film.en.cc.vtt"], ((), True)),
        (RequestedSubtitles(("zh-Hant",), None, DemuxParams()), ["film.chs.srt"], (("zh-Hant",), False)),
        (RequestedSubtitles(("zh-Hant",), None, DemuxParams()), ["film.zh.srt"], ((), True)),
    ],
)
def test_subtitles_are_found_beside_a_film_and_inside_it(
    tmp_path: Path, requested: RequestedSubtitles, beside: list[str], expected: tuple[tuple[str, ...], bool]
) -> None:
    (tmp_path / "film.mkv").write_text(INSIDE, encoding="utf-8")
    for name in beside:
        (tmp_path / name).write_text("x", encoding="utf-8")
    assert found(tmp_path, requested) == expected
