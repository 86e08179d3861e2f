"""Stage `ocr` with the real models, on text that ffmpeg has burnt into the sample."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import JsonValue

from shared.documents.cue import CueSheet
from tests.real.conftest import Stages, call

TITLES = {"Good evening to all of you": (1, 3), "The film is about to begin": (4, 6)}


@pytest.fixture(scope="module")
def titled(ffmpeg: Path, demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return eight seconds of the sample with subtitles in the picture."""
    folder = tmp_path_factory.mktemp("titled")
    lines = [
        f"{number}\n00:00:{start:02d},000 --> 00:00:{end:02d},000\n{text}\n"
        for number, (text, (start, end)) in enumerate(TITLES.items(), 1)
    ]
    (folder / "titles.srt").write_text("\n".join(lines))
    film = folder / "film.mp4"
    burn = f"subtitles={folder / 'titles.srt'}:force_style='FontSize=28'"
    call(ffmpeg, "-nostdin", "-loglevel", "error", "-t", "8", "-i", demo, "-vf", burn, "-c:a", "copy", film)
    return film


def test_burnt_in_subtitles_are_read_with_the_times_at_which_they_stand(run_stage: Stages, titled: Path) -> None:
    info = run_stage("demux", {"media": titled}).file("media")
    params: dict[str, JsonValue] = {"every_s": 0.5, "region": "bottom", "language": "en"}
    done = run_stage("ocr", {"media": titled, "info": info}, params, "rapidocr")
    cues = CueSheet.read(done.file("cues"))
    assert cues.language == "en"
    found = {" ".join(cue.lines): (cue.start_ms, cue.end_ms) for cue in cues.cues}
    for text, (start_s, end_s) in TITLES.items():
        start_ms, end_ms = found[text]
        assert abs(start_ms - start_s * 1000) <= 500, text
        assert abs(end_ms - end_s * 1000) <= 500, text
    assert done.file("text").read_text().splitlines() == list(TITLES)
