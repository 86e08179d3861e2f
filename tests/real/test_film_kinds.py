"""Stage `mux` on odd films: cut without encoding, odd sizes, other pixels, high dynamic range, and missing files."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.base.errors import StageRefused
from tests.fakes.edit_list import Edit, with_edits
from tests.real.test_mux import SRT, TONE, Maker, call, listing, make, maker

__all__ = ("maker",)  # a fixture

PLAIN = ("-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=6", "-f", "lavfi", "-i", "sine=duration=6")
LATE_BY_REORDERING = 0.08  # with B-frames, the first picture is shown two pictures after it is decoded


def decoded(ffmpeg: Path, media: Path, stream: str) -> list[str]:
    """Return the digest of each picture, or block of sound, that a viewer gets."""
    lines = call(ffmpeg, "-i", media, "-map", f"0:{stream}", "-fps_mode", "passthrough", "-f", "framemd5", "-")
    return [line.split(",")[-1].strip() for line in lines.splitlines() if line and not line.startswith("#")]


def sound_s(ffmpeg: Path, media: Path) -> float:
    """Return how much sound a listener gets."""
    command = [
        str(ffmpeg),
        "-v",
        "error",
        "-i",
        str(media),
        "-map",
        "0:a",
        "-ac",
        "1",
        "-ar",
        "8000",
        "-f",
        "s16le",
        "-",
    ]
    return len(subprocess.run(command, check=True, capture_output=True).stdout) / 16_000


def lasts_s(ffmpeg: Path, media: Path) -> float:
    found = re.search(r"Duration: 00:00:(\d\d\.\d\d)", listing(ffmpeg, media))
    assert found is not None
    return float(found[1])


def picture_at(ffmpeg: Path, video: Path, at_s: float, size: tuple[int, int], kind: str = "gray") -> NDArray[Any]:
    """Return the brightness of one picture as it is stored, height by width."""
    command = [str(ffmpeg), "-v", "error", "-ss", str(at_s), "-i", str(video), "-frames:v", "1"]
    command += ["-vf", "extractplanes=y", "-pix_fmt", kind, "-f", "rawvideo", "-"]
    content = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(content, "<u2" if kind == "gray10le" else np.uint8).reshape(size[1], size[0])


@pytest.fixture
def plain(ffmpeg: Path, tmp_path: Path) -> Path:
    """Return six seconds with one key picture a second, and B-frames."""
    return make(ffmpeg, tmp_path / "plain.mp4", *PLAIN, "-c:v", "libx264", "-g", "25", "-c:a", "aac")


def test_a_film_cut_by_stream_copy_shows_in_mp4_what_it_showed(maker: Maker, ffmpeg: Path, tmp_path: Path) -> None:
    one_group = ("-c:v", "libx264", "-g", "1000", "-sc_threshold", "0", "-c:a", "aac")
    whole = make(ffmpeg, tmp_path / "whole.mp4", *PLAIN, *one_group)
    cut = make(ffmpeg, tmp_path / "cut.mp4", "-ss", "2", "-i", whole, "-c", "copy")
    result = maker.mux(cut, ("en",))
    video = result.outputs["video"]
    assert (video.suffix, result.facts["container"]) == (".mp4", "mp4")
    assert "Matroska would show again" in "".join(result.warnings).replace("which ", "")
    assert decoded(ffmpeg, video, "v:0") == decoded(ffmpeg, cut, "v:0")
    assert lasts_s(ffmpeg, video) == pytest.approx(lasts_s(ffmpeg, cut), abs=0.1)
    assert call(ffmpeg, "-i", video, "-map", "0:s:0", "-f", "srt", "-").strip() == SRT.strip()


@pytest.mark.parametrize(
    ("edits", "wanted", "container"),
    [
        ({0: [(LATE_BY_REORDERING, 4.2)], 1: [(0.0, 4.2)]}, "mkv", "mkv"),
        ({0: [(LATE_BY_REORDERING, 4.2)], 1: [(0.0, 4.2)]}, "mp4", "mp4"),
        ({0: [(None, 1.0), (LATE_BY_REORDERING, 5.0)], 1: [(0.0, 6.0)]}, "mkv", "mkv"),
        ({0: [(LATE_BY_REORDERING, 4.5)], 1: [(1.5, 4.5)]}, "mkv", "mp4"),
        ({0: [(1.58, 4.42)], 1: [(1.5, 4.5)]}, "mkv", "mp4"),
    ],
    ids=["its end", "its end in MP4", "its end after a delay", "the sound's beginning", "its beginning"],
)
def test_what_an_edit_list_hides_of_a_film_stays_hidden(
    maker: Maker, ffmpeg: Path, plain: Path, edits: Mapping[int, Sequence[Edit]], wanted: str, container: str
) -> None:
    media = with_edits(plain, plain.with_name("edited.mp4"), edits)
    result = maker.mux(media, ("en",), container=wanted)
    video = result.outputs["video"]
    assert (video.suffix, len(result.warnings)) == (f".{container}", int(wanted != container))
    shown, found = decoded(ffmpeg, media, "v:0"), decoded(ffmpeg, video, "v:0")
    assert found[: len(shown)] == shown
    assert len(found) <= len(shown) + 4, "a few pictures that are decoded before the last one shown"
    assert sound_s(ffmpeg, video) == pytest.approx(sound_s(ffmpeg, media), abs=0.1)


@pytest.mark.parametrize("container", ["mkv", "mp4"])
def test_a_film_put_together_by_an_edit_list_is_left_out_with_a_reason(
    maker: Maker, plain: Path, container: str
) -> None:
    parts: list[Edit] = [(0.5, 1.5), (4.3, 1.2)]
    media = with_edits(plain, plain.with_name("parts.mp4"), {0: parts, 1: parts})
    result = maker.mux(media, ("en",), container=container)
    assert result.outputs["video"] is None
    assert "hides parts inside it" in result.facts["skipped"]
    assert "no film was made" in result.warnings[0]


def test_a_cut_film_whose_picture_no_mp4_holds_is_left_out(maker: Maker, ffmpeg: Path, tmp_path: Path) -> None:
    whole = make(ffmpeg, tmp_path / "whole.mov", *PLAIN, "-c:v", "utvideo", "-c:a", "aac")
    result = maker.mux(with_edits(whole, tmp_path / "cut.mov", {0: [(2.0, 4.0)], 1: [(2.0, 4.0)]}), ("en",))
    assert result.outputs["video"] is None
    assert "hides its beginning" in result.facts["skipped"]


def test_a_burnt_in_copy_of_a_cut_film_is_as_long_as_what_it_showed(maker: Maker, ffmpeg: Path, plain: Path) -> None:
    cut = with_edits(plain, plain.with_name("cut.mp4"), {0: [(1.58, 4.42)], 1: [(1.5, 4.5)]})
    video = maker.mux(cut, ("en",), burn_in="en").outputs["video"]
    assert len(decoded(ffmpeg, video, "v:0")) == len(decoded(ffmpeg, cut, "v:0"))
    assert sound_s(ffmpeg, video) == pytest.approx(sound_s(ffmpeg, cut), abs=0.1)


@pytest.mark.parametrize(
    ("codec", "pixels", "size"),
    [
        ("ffv1", "yuv444p", "427x239"), ("ffv1", "yuv411p", "127x72"), ("ffv1", "gray", "128x71"),
        ("png", "pal8", "129x72"), ("ffv1", "gbrp", "64x47"), ("ffv1", "yuv420p10le", "65x49"),
        ("ffv1", "yuva444p", "33x17"), ("rawvideo", "bgr24", "3x3"),
    ],
)  # fmt: skip
def test_a_picture_of_any_size_and_pixels_is_burnt_in(
    maker: Maker, ffmpeg: Path, tmp_path: Path, codec: str, pixels: str, size: str
) -> None:
    picture = ("-f", "lavfi", "-i", f"color=gray:size={size}:rate=5:duration=4")
    film = ("-c:v", codec, "-pix_fmt", pixels, "-c:a", "pcm_s16le")
    media = make(ffmpeg, tmp_path / "odd.mov", *picture, *TONE, *film)
    result = maker.mux(media, ("en",), burn_in="en")
    wide, high = (int(part) // 2 * 2 for part in size.split("x"))
    assert f", {wide}x{high}" in listing(ffmpeg, result.outputs["video"])
    assert "yuv420p(" in listing(ffmpeg, result.outputs["video"])
    assert result.warnings == []


@pytest.mark.parametrize(("size", "pixel"), [((720, 576), "64/45"), ((720, 480), "8/9"), ((720, 480), "32/27")])
def test_letters_are_as_wide_on_the_screen_whatever_the_shape_of_the_pixels(
    maker: Maker, ffmpeg: Path, tmp_path: Path, size: tuple[int, int], pixel: str
) -> None:
    wide, high = size
    above, below = map(int, pixel.split("/"))
    shown = round(wide * above / below / 2) * 2

    def width_of_letters(name: str, width: int, shape: str) -> float:
        black = ("-f", "lavfi", "-i", f"color=black:size={width}x{high}:rate=5:duration=4,setsar={shape}")
        media = make(ffmpeg, tmp_path / name, *black, *TONE, "-c:v", "ffv1", "-c:a", "flac")
        video = maker.mux(media, ("en",), burn_in="en").outputs["video"]
        lit = np.flatnonzero((picture_at(ffmpeg, video, 1, (width, high)) > 128).any(axis=0))
        return float(lit[-1] - lit[0] + 1) / width

    stretched, square = width_of_letters("sar.mkv", wide, pixel), width_of_letters("square.mkv", shown, "1")
    assert stretched == pytest.approx(square, rel=0.06)


@pytest.mark.parametrize(("transfer", "level"), [("smpte2084", 0.58), ("arib-std-b67", 0.75)])
def test_a_picture_of_high_dynamic_range_stays_one_with_letters_at_graphics_white(
    maker: Maker, ffmpeg: Path, tmp_path: Path, transfer: str, level: float
) -> None:
    black = ("-f", "lavfi", "-i", "color=black:size=960x540:rate=2:duration=4")
    tags = f"format=yuv420p10le,setparams=color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:range=tv"
    film = ("-vf", tags, "-c:v", "libx265", "-x265-params", "log-level=none", "-c:a", "aac")
    media = make(ffmpeg, tmp_path / "hdr.mkv", *black, *TONE, *film)
    result = maker.mux(media, ("en",), burn_in="en")
    video = result.outputs["video"]
    assert f"yuv420p10le(tv, bt2020nc/bt2020/{transfer}" in listing(ffmpeg, video)
    assert "high dynamic range" in result.warnings[0]
    assert int(picture_at(ffmpeg, video, 1, (960, 540), "gray10le").max()) == pytest.approx(64 + 876 * level, abs=15)


def test_a_media_that_was_moved_away_is_said_to_be_gone(maker: Maker, plain: Path, monkeypatch: Any) -> None:
    run_stage = maker._run_stage

    def move_first(name: str, *rest: Any) -> Any:
        if name == "mux":
            plain.rename(plain.with_name("elsewhere.mp4"))
        return run_stage(name, *rest)

    monkeypatch.setattr(maker, "_run_stage", move_first)
    with pytest.raises(StageRefused, match="moved, renamed or deleted") as refused:
        maker.mux(plain, ("en",))
    assert refused.value.code == "mux.gone"


def test_a_film_that_cannot_be_written_names_the_ffmpeg_that_failed(
    maker: Maker, ffmpeg: Path, plain: Path, monkeypatch: Any
) -> None:
    run_stage = maker._run_stage

    def damage_first(name: str, *rest: Any) -> Any:
        if name == "mux":
            plain.write_text("a letter\n" * 100, encoding="utf-8")
        return run_stage(name, *rest)

    monkeypatch.setattr(maker, "_run_stage", damage_first)
    with pytest.raises(StageRefused) as refused:
        maker.mux(plain, ("en",))
    assert refused.value.code == "mux.failed"
    version = re.match(r"ffmpeg version n?(\S+)", call(ffmpeg, "-version"))
    assert version is not None
    assert f"ffmpeg {version[1]} ({ffmpeg.resolve()})" in str(refused.value)
    assert "--set ffmpeg=own" in str(refused.value.hint)
