"""The tracks inside a film are read with ffmpeg, once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.engine.library.tracks import InnerTrack, TrackIndex, parse_tracks
from pipeline.store.index import Index

MATROSKA = """\
Input #0, matroska,webm, from 'x.mkv':
  Stream #0:0: Video: h264 (High), yuv420p(tv, progressive), 64x48 [SAR 1:1 DAR 4:3], 5 fps
    Metadata:
      title           : Subtitle: srt
  Stream #0:1(eng): Audio: vorbis, 44100 Hz, mono, fltp (default)
  Stream #0:2(eng): Subtitle: subrip (srt), start 1.000000 (hearing impaired)
    Metadata:
      DURATION        : 00:00:02.000000000
  Stream #0:3(ger): Subtitle: subrip (srt), start 1.000000 (default) (forced)
  Stream #0:4(pt-BR): Subtitle: ass (ssa)
    Metadata:
      title           : Full
  Stream #0:5(fre): Subtitle: hdmv_pgs_subtitle (pgssub), 1920x1080
  Stream #0:6: Attachment: ttf
    Metadata:
      title           : not of a subtitle
"""
MP4 = """\
[in#0 @ 0x55e69a0e3040] UDTA parsing failed retrying raw
  Stream #0:0[0x1](und): Video: h264 (High) (avc1 / 0x31637661), yuv420p(progressive), 3 kb/s (default)
  Stream #0:1[0x2](jpn): Audio: aac (LC) (mp4a / 0x6134706D), 44100 Hz, mono, fltp, 71 kb/s (default)
  Stream #0:2[0x3](und): Subtitle: mov_text (tx3g / 0x67337874), 0 kb/s (captions)
"""


def test_tracks_are_read_from_the_output_of_ffmpeg() -> None:
    assert parse_tracks(MATROSKA) == (
        InnerTrack("audio", "vorbis", "en", "", ("default",)),
        InnerTrack("subtitle", "subrip", "en", "", ("hearing impaired",)),
        InnerTrack("subtitle", "subrip", "de", "", ("default", "forced")),
        InnerTrack("subtitle", "ass", "pt-BR", "Full", ()),
        InnerTrack("subtitle", "hdmv_pgs_subtitle", "fr", "", ()),
    )
    assert [track.language for track in parse_tracks(MATROSKA) if track.is_full_text] == ["en", "pt-BR"]
    assert [(track.kind, track.language, track.is_full_text) for track in parse_tracks(MP4)] == [
        ("audio", "ja", False), ("subtitle", None, True)
    ]  # fmt: skip


@pytest.mark.parametrize("title", ["Forced", "English (forced)", "Signs & Songs", "Director's commentary"])
def test_a_track_whose_title_states_partial_speech_is_not_full(title: str) -> None:
    assert not InnerTrack("subtitle", "subrip", "en", title, ()).is_full_text


def test_ffmpeg_is_asked_once_until_a_film_changes(tmp_path: Path) -> None:
    film, other = tmp_path / "film.mkv", tmp_path / "other.mkv"
    film.write_text(MATROSKA, encoding="utf-8")
    other.write_text("no film", encoding="utf-8")

    asked: list[str] = []

    def describe(media: Path) -> str:
        asked.append(media.name)
        return media.read_text(encoding="utf-8")

    index = Index(tmp_path / "index.sqlite")
    with index.open_for_writing(lambda _: None):
        tracks = TrackIndex(index, describe, 2)
        tracks.look_into([film, other, tmp_path / "gone.mkv"])
        assert len(tracks.of(film)) == 5
        assert tracks.of(other) == tracks.of(tmp_path / "gone.mkv") == ()
        assert sorted(asked) == ["film.mkv", "other.mkv"]
    assert len(TrackIndex(index, describe, 2).of(film)) == 5  # another process, which only reads
    assert TrackIndex(index, None, 2).of(other) == ()
    assert sorted(asked) == ["film.mkv", "other.mkv"]
    film.write_text(MP4, encoding="utf-8")
    os.utime(film, (1, 1))
    assert len(TrackIndex(index, describe, 2).of(film)) == 2
    assert asked[2:] == ["film.mkv"]
