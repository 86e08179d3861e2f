"""One clock for sound and picture in films whose own clock is odd: it starts at 5 s, the sound comes 3 s later than the
picture, and the pictures come at uneven times."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from shared.documents.media import Media
from shared.documents.speech import SpeechRegions
from tests.real.conftest import Stages, call

LATE_MS, WHITE_MS = 3000, 2000
SOUND_SLACK_MS, PICTURE_SLACK_MS = 40, 120


def odd_film(ffmpeg: Path, sound: Path, film: Path) -> Path:
    """Make a film that is black until `WHITE_MS` and white from then on."""
    pictures = [f"color=c={colour}:s=64x48:r=25:d={seconds}" for colour, seconds in (("black", 2), ("white", 8))]
    uneven = "[0:v][1:v]concat=n=2,select='lt(n,10)+not(mod(n,3))'[v]"
    call(
        ffmpeg, "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", pictures[0], "-f", "lavfi", "-i", pictures[1],
        "-itsoffset", str(LATE_MS / 1000), "-t", "6", "-i", sound, "-filter_complex", uneven, "-map", "[v]", "-map",
        "2:a", "-fps_mode", "vfr", "-c:v", "libx264", "-c:a", "aac", "-output_ts_offset", "5", film,
    )  # fmt: skip
    return film


def first_white_ms(ffmpeg: Path, video: Path, rate: float) -> float:
    """Return when a video with so many pictures a second turns white."""
    done = subprocess.run(
        [ffmpeg, "-nostdin", "-loglevel", "error", "-i", video, "-vf", "scale=1:1,format=gray", "-f", "rawvideo", "-"],
        capture_output=True, check=True,
    )  # fmt: skip
    return next(place for place, level in enumerate(done.stdout) if level > 127) * 1000 / rate


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_cues_keep_to_the_sound_and_a_copied_picture_to_both(
    run_stage: Stages, ffmpeg: Path, speech_clip: Path, tmp_path: Path, suffix: str
) -> None:
    alone = tmp_path / "alone.wav"
    call(ffmpeg, "-nostdin", "-loglevel", "error", "-t", "6", "-i", speech_clip, alone)
    film = odd_film(ffmpeg, speech_clip, tmp_path / f"film.{suffix}")
    demuxed = run_stage("demux", {"media": film})
    info = Media.read(demuxed.file("media"))
    assert info.start_ms >= 5000 - PICTURE_SLACK_MS

    # Where speech is found decides where cues begin.
    found, expected = (
        SpeechRegions.read(run_stage("vad", {"audio": audio}).file("speech")).regions
        for audio in (demuxed.file("speech"), alone)
    )
    assert expected
    begin_ms = expected[0].start_ms + LATE_MS
    assert min(abs(region.start_ms - begin_ms) for region in found) <= SOUND_SLACK_MS

    copied = run_stage("proxy", {"media": film, "info": demuxed.file("media")}).file("video")
    picture = Media.read(run_stage("probe", {"media": copied}).file("media")).picture
    assert picture
    assert picture.frame_rate
    assert abs(first_white_ms(ffmpeg, copied, picture.frame_rate) - WHITE_MS) <= PICTURE_SLACK_MS
