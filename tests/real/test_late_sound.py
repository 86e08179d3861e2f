"""Samples that Bazarr takes from a film whose sound begins late get the silence back that they have lost."""

from __future__ import annotations

import subprocess
import wave
from pathlib import Path

import pytest

from pipeline.engine.project import Project
from tests.conftest import Reel
from tests.fakes.web_client import end_server, start_server

SLACK_MS = 40
BOUNDARY = "boundary"


def a_late_film(ffmpeg: Path, film: Path, offset_s: int = 0) -> Path:
    """Make a film whose sound begins 3 s after its picture, and whose clock begins at `offset_s`."""
    subprocess.run(
        [ffmpeg, "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "color=s=64x48:r=25:d=5", "-f", "lavfi",
         "-itsoffset", "3", "-i", "sine=d=2", "-map", "0:v", "-map", "1:a", "-c:v", "libx264", "-c:a", "aac",
         "-output_ts_offset", str(offset_s), film], check=True,
    )  # fmt: skip
    return film


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
@pytest.mark.parametrize("offset_s", [0, 5])
def test_ffmpeg_tells_how_late_the_sound_of_a_film_begins(
    real_project: Project, ffmpeg: Path, tmp_path: Path, suffix: str, offset_s: int
) -> None:
    installed = real_project.installed
    film = a_late_film(ffmpeg, tmp_path / f"film.{suffix}", offset_s)
    assert abs(installed.tools.sound_delay_ms(installed.tool, film) - 3000) <= SLACK_MS
    silent = tmp_path / "silent.txt"
    silent.write_text("no film", encoding="utf-8")
    assert installed.tools.sound_delay_ms(installed.tool, silent) == 0


def test_samples_of_a_film_in_a_media_folder_begin_when_its_sound_does(
    ffmpeg: Path, reel: Reel, tmp_path: Path
) -> None:
    films = tmp_path / "films"
    films.mkdir()
    film = a_late_film(ffmpeg, films / "film.mkv")
    server = start_server(reel, "--stub", "--media", films, "--map", f"/data={films}")
    samples = b"\1\0" * 16_000
    body = (
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="audio_file"; filename="audio"\r\n\r\n'.encode()
        + samples + f"\r\n--{BOUNDARY}--\r\n".encode()
    )  # fmt: skip
    for named, delay_ms in (("/data/film.mkv", 3000), (str(film), 3000), ("/elsewhere/film.mkv", 0)):
        query = f"encode=false&output=srt&video_file={named}"
        form = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
        assert server.ask("POST", f"/asr?{query}", body, form).status == 200, named
        newest = max(reel.results.glob("serve/uploads/*/*.wav"), key=lambda path: path.stat().st_mtime_ns)
        with wave.open(str(newest), "rb") as sound:
            heard = sound.readframes(sound.getnframes())
        assert abs(len(heard.removesuffix(samples)) // 32 - delay_ms) <= SLACK_MS, named
        assert not any(heard.removesuffix(samples))
        for upload in reel.results.glob("serve/uploads/*/*.wav"):
            upload.unlink()
    end_server(server)
