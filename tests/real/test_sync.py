"""`reel sync` with the real recogniser: damaged subtitles of the sample come back into step, in its own language and in
another one, and that of another film is refused."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from shared.documents.cue import Cue
from shared.text.timecode import timecode
from stages.toolkit.formats.reader import read
from tests.conftest import ROOT, Reel

_PAL = 25 * 1001 / 24_000
_CUT_MS = 15_000

Damage = Callable[[int], float | None]
"""The time in the damaged file of a time in the film; None for a cue that is left out."""


def _cut(at_ms: int) -> float | None:
    return at_ms if at_ms < 20_000 else None if at_ms < 20_000 + _CUT_MS else at_ms - _CUT_MS


_DAMAGES: dict[str, Damage] = {
    "90 s late": lambda at: at + 90_000,
    "90 s early": lambda at: at - 90_000,
    "25 for 23.976 frames": lambda at: at / _PAL,
    "23.976 for 25 frames": lambda at: at * _PAL,
    "a scene cut out": _cut,
    "a scene inserted": lambda at: at if at < 25_000 else at + 60_000,
}


def _signed(at_ms: float) -> str:
    return timecode(round(at_ms)) if at_ms >= 0 else f"-{timecode(round(-at_ms))}"


def _write(path: Path, cues: Sequence[tuple[Cue, float]], wrong: float) -> None:
    """Write cues with other beginnings; a part of the words is wrong, and every third cue is missing."""
    chance = random.Random(1)
    words = [word for cue, _ in cues for line in cue.lines for word in line.split()]
    lines = []
    for number, (cue, start) in enumerate(cues, 1):
        told = [
            " ".join(chance.choice(words) if chance.random() < wrong else word for word in line.split())
            for line in cue.lines
        ]
        lines += [str(number), f"{_signed(start)} --> {_signed(start + cue.end_ms - cue.start_ms)}", *told, ""]
    path.write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture
def film(reel: Reel, tmp_path: Path) -> Path:
    """Return the sample, with subtitles in English and Portuguese in the output folder."""
    place = tmp_path / "film.mp4"
    shutil.copyfile(ROOT / "samples" / "demo.mp4", place)
    reel("run", place, "--to", "pt", "--no-film", "--profile", "starter", "--formats", "srt")
    return place


def test_damaged_subtitles_come_back_into_step(reel: Reel, film: Path, tmp_path: Path) -> None:
    for language, limit_ms, share in (("en", 200, 0.95), ("pt", 500, 0.9)):
        truth = read(reel.out / "film" / f"film.{language}.srt").cues
        for name, damage in _DAMAGES.items():
            left = [(cue, at) for cue in truth if (at := damage(cue.start_ms)) is not None]
            if language == "en":
                left = [one for number, one in enumerate(left) if number % 3]
            given = tmp_path / f"damaged.{language}.srt"
            _write(given, left, wrong=0.1 if language == "en" else 0.0)
            out = tmp_path / language / name
            words: list[str | Path] = ["sync", film, given, "-o", out, "--profile", "starter", "--json"]
            report = json.loads(reel(*words).stdout)["data"]["report"]
            made = read(out / "film" / f"film.{language}.srt").cues
            assert len(made) == len(left)
            near = [abs(cue.start_ms - one.start_ms) <= limit_ms for cue, (one, _) in zip(made, left, strict=True)]
            assert sum(near) >= share * len(near), (language, name, report["shifts"])


def test_the_subtitle_of_another_film_is_refused_with_numbers(reel: Reel, tmp_path: Path) -> None:
    folder = ROOT / "tests" / "data" / "librivox"
    texts = [line.split("\t")[1] for line in (folder / "transcription.tsv").read_text(encoding="utf-8").splitlines()]
    for language in ("en", "de"):
        given = tmp_path / f"other.{language}.srt"
        cues = [
            (Cue(start_ms=0, end_ms=4_000, lines=(text if language == "en" else text[::-1],)), number * 5_000)
            for number, text in enumerate(texts)
        ]
        _write(given, cues, wrong=0.0)
        done = reel("sync", ROOT / "samples" / "demo.mp4", given, "--profile", "starter", expect=4)
        assert "sync.refused" in done.stderr
        assert any(letter.isdigit() for letter in done.stderr.split("to another cut of it:")[1])
    assert not (reel.out / "demo").exists()


def test_a_subtitle_that_fits_stands_for_recognition(reel: Reel, film: Path, tmp_path: Path) -> None:
    subtitle = tmp_path / "film.en.srt"
    shutil.copyfile(reel.out / "film" / "film.en.srt", subtitle)
    out = tmp_path / "again"
    done = reel("run", film, "--subtitles", subtitle, "--no-film", "--profile", "starter", "-o", out, "--json")
    assert json.loads(done.stdout)["data"]["items"][0]["state"] == "done"
    one, other = (read(folder / "film" / "film.en.srt").cues for folder in (reel.out, out))
    assert [(cue.start_ms, cue.lines) for cue in one] == [(cue.start_ms, cue.lines) for cue in other]
