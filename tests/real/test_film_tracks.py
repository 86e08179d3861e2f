"""The tracks inside real films, as the ffmpeg at hand tells of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipeline.engine.library.tracks import parse_tracks
from pipeline.engine.project import Project

SUBTITLE = "1\n00:00:00,200 --> 00:00:00,800\nHello\n"


@pytest.mark.parametrize(("suffix", "codec"), [("mkv", "subrip"), ("mp4", "mov_text")])
def test_languages_flags_and_titles_of_subtitles_are_known(
    real_project: Project, ffmpeg: Path, tmp_path: Path, suffix: str, codec: str
) -> None:
    text, film = tmp_path / "text.srt", tmp_path / f"-odd: film.{suffix}"
    text.write_text(SUBTITLE, encoding="utf-8")
    words = ["-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "sine=duration=1"]
    words += ["-i", str(text)] * 3 + ["-map", "0", "-map", "1", "-map", "2", "-map", "3", "-c:a", "aac", "-c:s", codec]
    words += ["-metadata:s:a:0", "language=jpn", "-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=ger"]
    words += ["-disposition:s:0", "hearing_impaired", "-disposition:s:1", "forced", f"file:{film}"]
    subprocess.run([str(ffmpeg), *words], check=True)
    tracks = parse_tracks(real_project.installed.tools.describe(real_project.installed.tool, film))
    assert [(track.kind, track.language) for track in tracks] == [
        ("audio", "ja"), ("subtitle", "en"), ("subtitle", "de"), ("subtitle", None)
    ]  # fmt: skip
    assert [track.language for track in tracks if track.is_full_text] == ["en", None]
    assert parse_tracks(real_project.installed.tools.describe(real_project.installed.tool, text)) == ()  # no film
