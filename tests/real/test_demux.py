"""Stage `demux` on real files: time 0, holes, tracks, damage, odd names, and hostile files."""

from __future__ import annotations

import os
import subprocess
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.base.errors import StageRefused
from shared.documents.media import Media

RunStage = Callable[..., Any]
TONE = ("-f", "lavfi", "-i", "sine=frequency=440:duration=2")
PICTURE = ("-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=4")
LOUD = 300  # of 32768, far above silence and far below the tone


def make(ffmpeg: Path, target: Path, *arguments: str | Path) -> Path:
    command = [ffmpeg, "-nostdin", "-loglevel", "error", "-y", *arguments, f"file:{target}"]
    subprocess.run([str(part) for part in command], check=True)
    return target


def samples(path: Path) -> NDArray[np.int16]:
    with wave.open(str(path)) as sound:
        read = np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2")
        return read.reshape(-1, sound.getnchannels())


def loud_stretches(path: Path) -> list[tuple[float, float]]:
    """Return where something is heard, in seconds; pauses under 50 ms do not count."""
    with wave.open(str(path)) as sound:
        rate = sound.getframerate()
    times = np.flatnonzero(np.abs(samples(path)[:, 0].astype(int)) > LOUD) / rate
    if not len(times):
        return []
    breaks = np.flatnonzero(np.diff(times) > 0.05)
    starts, ends = [times[0], *times[breaks + 1]], [*times[breaks], times[-1]]
    return [(float(start), float(end)) for start, end in zip(starts, ends, strict=True)]


def refused(run_stage: RunStage, media: Path, **params: Any) -> StageRefused:
    with pytest.raises(StageRefused) as caught:
        run_stage("demux", {"media": media}, params)
    return caught.value


@pytest.fixture
def film(ffmpeg: Path, tmp_path: Path) -> Path:
    arguments = (*PICTURE, *TONE, "-shortest", "-c:v", "mpeg4", "-c:a", "aac", "-movflags", "+faststart")
    return make(ffmpeg, tmp_path / "film.mp4", *arguments)


def delayed(ffmpeg: Path, target: Path) -> Path:
    codecs = ("-c:v", "mpeg2video", "-c:a", "aac")
    return make(ffmpeg, target, *PICTURE, "-itsoffset", "1.5", *TONE, "-map", "0", "-map", "1", *codecs)


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_a_track_that_starts_late_begins_with_silence(
    run_stage: RunStage, ffmpeg: Path, tmp_path: Path, suffix: str
) -> None:
    speech = run_stage("demux", {"media": delayed(ffmpeg, tmp_path / f"late.{suffix}")}).outputs["speech"]
    ((start, end),) = loud_stretches(speech)
    assert start == pytest.approx(1.5, abs=0.03)
    assert end == pytest.approx(3.5, abs=0.05)


def test_a_clock_that_begins_at_ten_hours_begins_at_zero(run_stage: RunStage, ffmpeg: Path, tmp_path: Path) -> None:
    early = delayed(ffmpeg, tmp_path / "early.ts")
    late = make(ffmpeg, tmp_path / "late.ts", "-i", early, "-map", "0", "-c", "copy", "-output_ts_offset", "36000")
    result = run_stage("demux", {"media": late})
    assert loud_stretches(result.outputs["speech"])[0][0] == pytest.approx(1.5, abs=0.03)
    assert Media.read(result.outputs["media"]).start_ms > 36_000_000


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_a_hole_in_the_timestamps_stays_a_pause(run_stage: RunStage, ffmpeg: Path, tmp_path: Path, suffix: str) -> None:
    hole = ("-af", "asetpts='PTS+gte(T,1)*1.5/TB'", "-c:a", "aac", "-c:v", "mpeg2video")
    media = make(ffmpeg, tmp_path / f"hole.{suffix}", *PICTURE, *TONE, *hole)
    first, second = loud_stretches(run_stage("demux", {"media": media}).outputs["speech"])
    assert first == pytest.approx((0.0, 1.0), abs=0.08)
    assert second == pytest.approx((2.5, 3.5), abs=0.08)


def test_a_change_of_channels_midway_does_not_shift_the_rest(run_stage: RunStage, ffmpeg: Path, tmp_path: Path) -> None:
    surround = make(ffmpeg, tmp_path / "a.ac3", *TONE, "-af", "pan=5.1|FC=c0", "-c:a", "ac3")
    stereo = make(ffmpeg, tmp_path / "b.ac3", *TONE, "-ac", "2", "-c:a", "ac3")
    both = tmp_path / "both.ac3"
    both.write_bytes(surround.read_bytes() + stereo.read_bytes() + surround.read_bytes())
    media = make(ffmpeg, tmp_path / "broadcast.ts", "-i", both, "-c", "copy")
    outputs = run_stage("demux", {"media": media}, {"full_rate": 48000}).outputs
    for path in (outputs["speech"], outputs["full"]):
        ((start, end),) = loud_stretches(path)
        assert start == pytest.approx(0, abs=0.05)
        assert end == pytest.approx(6, abs=0.15)


@pytest.mark.parametrize("suffix", ["aac", "ac3"])
def test_a_stream_without_a_clock_may_change_its_rate_midway(
    run_stage: RunStage, ffmpeg: Path, tmp_path: Path, suffix: str
) -> None:
    """Joined recordings, and radio that was written down: ffmpeg counts their time by the first rate alone."""
    first = make(ffmpeg, tmp_path / f"a.{suffix}", *TONE, "-ar", "48000", "-ac", "1")
    second = make(ffmpeg, tmp_path / f"b.{suffix}", *TONE, "-ar", "32000", "-ac", "2")
    media = tmp_path / f"joined.{suffix}"
    media.write_bytes(first.read_bytes() + second.read_bytes())
    outputs = run_stage("demux", {"media": media}, {"full_rate": 48000}).outputs
    for path in (outputs["speech"], outputs["full"]):
        assert loud_stretches(path)[-1][1] == pytest.approx(4, abs=0.15)


def test_the_full_rate_comes_in_stereo_and_as_long_as_the_speech(run_stage: RunStage, film: Path) -> None:
    outputs = run_stage("demux", {"media": film}, {"full_rate": 44100}).outputs
    assert samples(outputs["speech"]).shape[1] == 1
    assert samples(outputs["full"]).shape[1] == 2
    assert len(samples(outputs["full"])) / 44_100 == pytest.approx(len(samples(outputs["speech"])) / 16_000, abs=0.01)


def test_tracks_are_chosen_by_flag_language_and_number(run_stage: RunStage, ffmpeg: Path, tmp_path: Path) -> None:
    tones = [part for pitch in (440, 880, 1760) for part in ("-f", "lavfi", "-i", f"sine=frequency={pitch}:duration=1")]
    tags = ("-metadata:s:0", "language=eng", "-metadata:s:1", "language=hin", "-metadata:s:2", "title=Commentary")
    flags = ("-disposition:0", "0", "-disposition:1", "default", "-disposition:2", "default")
    maps = ("-map", "0", "-map", "1", "-map", "2")
    media = make(ffmpeg, tmp_path / "three.mkv", *tones, *maps, *tags, *flags, "-c:a", "flac")

    def pitch(**params: Any) -> int:
        result = run_stage("demux", {"media": media}, params)
        spectrum = np.abs(np.fft.rfft(samples(result.outputs["speech"])[:, 0]))
        return round(float(np.argmax(spectrum)) * 16_000 / len(samples(result.outputs["speech"])) / 10) * 10

    assert pitch() == 880
    assert pitch(audio_language="en") == 440
    assert pitch(audio_track=2) == 1760
    error = refused(run_stage, media, audio_language="fr")
    assert error.code == "demux.track"
    assert "track 1 (hi, flac, 1 channels, default)" in error.message


def test_stereo_that_cancels_is_taken_from_one_channel(run_stage: RunStage, ffmpeg: Path, tmp_path: Path) -> None:
    inverted = ("-af", "pan=stereo|c0=c0|c1=-1*c0", "-c:a", "aac")
    result = run_stage("demux", {"media": make(ffmpeg, tmp_path / "inverted.m4a", *TONE, *inverted)})
    assert np.abs(samples(result.outputs["speech"])).max() > 1000
    assert result.facts["mix"] in ("channel 0", "channel 1")
    assert "loses the sound" in result.warnings[0]


def test_a_film_cut_off_gives_what_it_holds_with_a_warning(run_stage: RunStage, ffmpeg: Path, tmp_path: Path) -> None:
    tone = ("-f", "lavfi", "-i", "sine=frequency=440:duration=20")
    whole = make(ffmpeg, tmp_path / "whole.mp4", *tone, "-c:a", "aac", "-movflags", "+faststart")
    content = whole.read_bytes()
    part = tmp_path / "part.mp4"
    part.write_bytes(content[: len(content) // 2])
    result = run_stage("demux", {"media": part})
    assert 5_000 < result.facts["decoded_ms"] < 15_000
    assert result.facts["declared_ms"] == pytest.approx(20_000, abs=100)
    assert "cut off or damaged" in result.warnings[0]
    part.write_bytes(content[: content.index(b"mdat") + 4])
    assert refused(run_stage, part).code == "demux.undecodable"


@pytest.mark.parametrize("kind", ["wav", "w64", "aiff", "rf64.wav"])
def test_a_header_that_promises_more_than_is_there_is_told(
    run_stage: RunStage, ffmpeg: Path, tmp_path: Path, kind: str
) -> None:
    large = ("-rf64", "always") if kind.startswith("rf64") else ()
    whole = make(ffmpeg, tmp_path / f"whole.{kind}", "-f", "lavfi", "-i", "sine=duration=20", *large)
    assert run_stage("demux", {"media": whole}).warnings == []
    part = tmp_path / f"part.{kind}"
    part.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    result = run_stage("demux", {"media": part})
    assert (result.facts["declared_ms"], result.facts["decoded_ms"]) == pytest.approx((20_000, 10_000), abs=60)
    assert "the file declares 0:20 of sound and holds 0:" in result.warnings[0]


def test_sound_whose_middle_is_missing_is_told_with_how_much(run_stage: RunStage, ffmpeg: Path, tmp_path: Path) -> None:
    media = make(ffmpeg, tmp_path / "hole.m4a", "-f", "lavfi", "-i", "sine=duration=20", "-ac", "2", "-c:a", "aac")
    content = bytearray(media.read_bytes())
    start = content.index(b"mdat") + 4
    length = int.from_bytes(content[start - 8 : start - 4], "big")
    content[start + length // 3 : start + 2 * length // 3] = bytes(2 * length // 3 - length // 3)
    media.write_bytes(content)
    result = run_stage("demux", {"media": media})
    assert result.facts["missing_ms"] == pytest.approx(6_667, abs=400)
    assert "of the 0:20 of sound are not in the file or could not be decoded" in result.warnings[0]


def test_a_song_with_a_cover_is_sound_with_a_picture_that_is_no_film(
    run_stage: RunStage, ffmpeg: Path, tmp_path: Path
) -> None:
    cover = ("-f", "lavfi", "-i", "testsrc=size=64x64:duration=0.04", "-map", "0", "-map", "1", "-c:v", "png")
    media = make(ffmpeg, tmp_path / "song.mp3", *TONE, *cover, "-disposition:v", "attached_pic")
    result = run_stage("demux", {"media": media})
    document = Media.read(result.outputs["media"])
    assert [(track.kind, track.codec, track.cover) for track in document.tracks] == [
        ("audio", "mp3", False),
        ("video", "png", True),
    ]
    assert document.decoded_ms == pytest.approx(2000, abs=60)


@pytest.mark.parametrize(
    "name",
    ["-y.mp4", "http:x.mp4", "%d%03d.mp4", "new\nline.mp4", 'it\'s "quoted" \U0001f3ac.mp4', "[a]*?.mp4", " .mp4"],
)
def test_a_name_is_only_a_name(run_stage: RunStage, film: Path, name: str) -> None:
    media = film.rename(film.with_name(name))
    assert run_stage("demux", {"media": media}).facts["decoded_ms"] == pytest.approx(2000, abs=60)


def test_what_is_no_media_is_refused(run_stage: RunStage, ffmpeg: Path, film: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("a letter, not a film\n" * 100, encoding="utf-8")
    picture = make(ffmpeg, tmp_path / "picture.png", *PICTURE, "-frames:v", "1")
    concat = tmp_path / "concat.mp4"
    concat.write_text(f"ffconcat version 1.0\nfile {film.name}\n", encoding="utf-8")
    playlist = tmp_path / "playlist.mp4"
    playlist.write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{film.name}\n#EXT-X-ENDLIST\n", encoding="utf-8"
    )
    for media in (text, picture, concat, playlist):
        assert refused(run_stage, media).code == "demux.container", media.name


@pytest.mark.parametrize(("content", "kind"), [
    (b"1\n00:00:01,000 --> 00:00:02,000\nHello\n", "subtitles"), (b"\xff\xd8\xff\xe0 picture", "a JPEG picture"),
    (b"\n<!DOCTYPE html><title>404</title>", "a web page"), (b"PK\x03\x04 archive", "a ZIP archive"),
])  # fmt: skip
def test_another_kind_of_file_with_the_name_of_a_film_is_called_by_its_kind(
    run_stage: RunStage, tmp_path: Path, content: bytes, kind: str
) -> None:
    (tmp_path / "film.mp4").write_bytes(content)
    error = refused(run_stage, tmp_path / "film.mp4")
    assert (error.code, error.message.endswith(f", found {kind}")) == ("demux.container", True), error.message


def test_what_is_no_file_is_refused(run_stage: RunStage, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    os.mkfifo(tmp_path / "pipe.mp4")
    for media in (tmp_path, tmp_path / "empty.mp4", tmp_path / "pipe.mp4", tmp_path / "none.mp4", Path("/dev/null")):
        assert refused(run_stage, media).code == "demux.not-a-file", media


def test_a_film_without_sound_is_refused(run_stage: RunStage, ffmpeg: Path, tmp_path: Path) -> None:
    error = refused(run_stage, make(ffmpeg, tmp_path / "mute.mp4", *PICTURE, "-c:v", "mpeg4"))
    assert error.code == "demux.no-audio"
    assert "video (mpeg4)" in error.message


def test_the_same_film_gives_the_same_bytes(run_stage: RunStage, film: Path) -> None:
    def contents() -> list[bytes]:
        outputs = run_stage("demux", {"media": film}, {"full_rate": 48000}).outputs
        return [outputs[role].read_bytes() for role in ("media", "speech", "full")]

    assert contents() == contents()
