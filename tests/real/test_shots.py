"""Shot changes in films whose cuts are known, by the real ffmpeg."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.documents.shots import Shots
from tests.real.conftest import Stages, call

_SOUND = ("-f", "lavfi", "-i", "sine=frequency=300:sample_rate=48000")


def _film(ffmpeg: Path, to: Path, *options: str) -> tuple[Path, list[int]]:
    """Return five shots of moving pictures, some of them dark, at 25 frames a second; and where all but the first
    begin."""
    sources = ("testsrc2", "mandelbrot", "gradients=seed=4:speed=0.05", "life=mold=9:seed=3:ratio=0.3", "testsrc2")
    frames = (40, 33, 61, 28, 50)
    arguments: list[str] = []
    filters = ""
    for number, (source, count) in enumerate(zip(sources, frames, strict=True)):
        arguments += ["-f", "lavfi", "-i", f"{source}{':' if '=' in source else '='}s=320x180:r=25"]
        dark = "eq=brightness=-0.3:contrast=0.6," if number == 2 else ""
        filters += f"[{number}:v]format=yuv420p,{dark}trim=end_frame={count},setpts=PTS-STARTPTS[v{number}];"
    filters += "".join(f"[v{number}]" for number in range(5)) + "concat=n=5:v=1:a=0,fps=25[v]"
    call(
        ffmpeg, "-nostdin", "-loglevel", "error", *arguments, *_SOUND, "-filter_complex", filters, "-map", "[v]",
        "-map", "5:a", "-t", "8.4", "-c:v", "mpeg2video", "-q:v", "4", "-g", "50", *options, to,
    )  # fmt: skip
    return to, [sum(frames[: number + 1]) * 40 for number in range(4)]


@pytest.mark.parametrize(
    ("name", "options"), [("film.mp4", ()), ("late.ts", ("-muxdelay", "0", "-output_ts_offset", "7"))]
)
def test_every_cut_is_found_to_the_frame_and_nothing_else(
    name: str, options: tuple[str, ...], run_stage: Stages, ffmpeg: Path, tmp_path: Path
) -> None:
    film, cuts = _film(ffmpeg, tmp_path / name, *options)
    info = run_stage("demux", {"media": film}).file("media")
    shots = Shots.read(run_stage("shots", {"media": film, "info": info}).file("shots"))
    assert shots.applied
    assert len(shots.changes_ms) == len(cuts)
    assert all(abs(found - cut) <= 20 for found, cut in zip(shots.changes_ms, cuts, strict=True)), shots.changes_ms


def test_a_picture_that_starts_late_keeps_the_clock_of_the_sound(
    run_stage: Stages, ffmpeg: Path, tmp_path: Path
) -> None:
    film, cuts = _film(ffmpeg, tmp_path / "film.mp4")
    call(
        ffmpeg, "-nostdin", "-loglevel", "error", *_SOUND, "-itsoffset", "1.2", "-i", film, "-map", "0:a", "-map",
        "1:v", "-c:v", "copy", "-t", "9", tmp_path / "late.ts",
    )  # fmt: skip
    info = run_stage("demux", {"media": tmp_path / "late.ts"}).file("media")
    shots = Shots.read(run_stage("shots", {"media": tmp_path / "late.ts", "info": info}).file("shots"))
    assert [round(found / 40) for found in shots.changes_ms] == [cut / 40 + 30 for cut in cuts]
