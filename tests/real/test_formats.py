"""Subtitle files as others read them: the parser of the W3C, ffmpeg, and libass, which draws for it and for mpv."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from shared.documents.cue import Cue, CueSheet
from stages.toolkit.formats.direction import MARKS
from stages.toolkit.formats.writer import render
from tests.conftest import ROOT
from tests.real.test_mux import call
from tests.stages.subtitle.test_subtitle_formats import ODD, shown

_W3C = "webvtt-parser@2.2.0"  # npm's; the W3C's own, whose errors are those of its validator
_DIALOGUE = re.compile(r"^Dialogue: \d,(\S+?),(\S+?),[^,]*,[^,]*,\d+,\d+,\d+,[^,]*,(.*)$", re.MULTILINE)
WIDTH, HEIGHT, FRAMES_A_SECOND = 320, 180, 5


def a_sheet(*texts: str) -> CueSheet:
    """Return a cue of two seconds each three seconds; a bar parts lines."""
    cues = [Cue(start_ms=n * 3000, end_ms=n * 3000 + 2000, lines=tuple(t.split("|"))) for n, t in enumerate(texts, 1)]
    return CueSheet(language="en", cues=tuple(cues))


ALL = a_sheet(*ODD, *(f"{one}|{other}" for one, other in pairwise(ODD)))
LATE = CueSheet(
    language="en", cues=(Cue(start_ms=359_990_000, end_ms=359_999_000, lines=("at the end of 100 hours",)),)
)
PLAIN = a_sheet("The first line|and another", "Olá!", "The last")


def lines_of(text: str) -> tuple[str, ...]:
    return tuple(line for part in text.split("\n") if (line := shown(part.lstrip(MARKS))))


def told(sheet: CueSheet) -> list[tuple[int, int, tuple[str, ...]]]:
    """Return what a viewer should see of a sheet."""
    return [(cue.start_ms, cue.end_ms, lines_of("\n".join(cue.lines))) for cue in sheet.cues]


@pytest.fixture(scope="module")
def w3c(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the W3C's parser."""
    if shutil.which("npm") is None:
        pytest.skip("the W3C's parser runs in Node.js, and there is no npm")
    folder = tmp_path_factory.mktemp("w3c")
    install = ["npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)]
    done = subprocess.run([*install, _W3C], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"npm could not bring the W3C's parser: {done.stderr.strip()}")
    return folder


def test_the_parser_of_the_w3c_finds_no_error_and_the_same_text(w3c: Path, tmp_path: Path) -> None:
    sheets = [ALL, LATE, PLAIN, CueSheet(language="en", cues=())]
    files = []
    for number, sheet in enumerate(sheets):
        files.append(tmp_path / f"{number}.vtt")
        files[-1].write_bytes(render(sheet, "vtt").encode())
    script = ROOT / "tests" / "fakes" / "w3c_webvtt.js"
    done = subprocess.run(["node", script, w3c, *files], check=True, capture_output=True, text=True)
    for sheet, line in zip(sheets, done.stdout.splitlines(), strict=True):
        read = json.loads(line)
        assert read["errors"] == []
        assert [(start, end, lines_of(text)) for start, end, text in read["cues"]] == told(sheet)


def milliseconds(clock: str) -> int:
    hours, minutes, seconds = clock.split(":")
    return (int(hours) * 60 + int(minutes)) * 60_000 + round(float(seconds) * 1000)


def by_ffmpeg(ffmpeg: Path, file: Path) -> list[tuple[int, int, tuple[str, ...]]]:
    """Return a file's cues as ffmpeg hands them to whoever draws them. It counts in hundredths of a second."""
    found = []
    for start, end, text in _DIALOGUE.findall(call(ffmpeg, "-i", file, "-f", "ass", "-")):
        plain = text.replace(r"\{{}", "{").replace(r"\{", "{").replace(r"\}", "}").replace(r"\N", "\n")
        found.append((milliseconds(start), milliseconds(end), lines_of(plain)))
    return found


@pytest.mark.parametrize("kind", ["srt", "vtt", "ass"])
def test_ffmpeg_reads_every_cue_with_its_text(ffmpeg: Path, tmp_path: Path, kind: str) -> None:
    # In SubRip, ffmpeg takes a brace and a backslash for a command, and nothing can be written instead.
    sheet = a_sheet(*(text for text in ODD if kind != "srt" or "{\\" not in text))
    file = tmp_path / f"x.{kind}"
    file.write_bytes(render(sheet, kind).encode())
    assert by_ffmpeg(ffmpeg, file) == told(sheet)


def test_ffmpeg_reads_captions(ffmpeg: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.scc"
    file.write_bytes(render(PLAIN, "scc").encode())
    drawn = call(ffmpeg, "-i", file, "-f", "ass", "-")
    found = [re.sub(r"\{[^}]*\}|\\h", "", text) for _, _, text in _DIALOGUE.findall(drawn)]
    assert [" ".join(re.split(r"\\N|\s+", text)).strip() for text in found] == [
        " ".join(cue.lines) for cue in PLAIN.cues
    ]


@pytest.mark.parametrize("kind", ["srt", "vtt", "ass"])
def test_libass_draws_each_cue_in_its_time_and_nothing_else(ffmpeg: Path, tmp_path: Path, kind: str) -> None:
    (tmp_path / "x").write_bytes(render(PLAIN, kind).encode())
    black = f"color=black:size={WIDTH}x{HEIGHT}:rate={FRAMES_A_SECOND}:duration=12"
    command = [str(ffmpeg), "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", black, "-vf", "subtitles=filename=x"]
    done = subprocess.run(
        [*command, "-f", "rawvideo", "-pix_fmt", "gray", "-"], check=True, capture_output=True, cwd=tmp_path
    )
    size = WIDTH * HEIGHT
    frames = [done.stdout[at : at + size] for at in range(0, len(done.stdout), size)]
    step = 1000 // FRAMES_A_SECOND
    assert len(frames) == 12 * FRAMES_A_SECOND
    for number, frame in enumerate(frames):
        expected = any(cue.start_ms <= number * step < cue.end_ms for cue in PLAIN.cues)
        assert (max(frame) > 128) == expected, number * step
