"""`reel sync` on stub stages: where the result goes, what is never overwritten, and what is refused at once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline.cli.sync_report import lines_of
from shared.documents.subtitle_sync import MovedCue, Shift, SyncReport
from tests.conftest import ROOT, Reel

STUB = {"REEL_STUB": "true"}
TEXT = "1\n00:00:01,000 --> 00:00:02,000\nHello.\n"


@pytest.fixture
def film(tmp_path: Path) -> Path:
    place = tmp_path / "film.mp4"
    shutil.copyfile(ROOT / "samples" / "demo.mp4", place)
    place.with_suffix(".en.srt").write_text(TEXT, encoding="utf-8")
    return place


def test_the_result_is_a_new_file_and_a_report(reel: Reel, film: Path) -> None:
    done = reel("sync", film, film.with_suffix(".en.srt"), "--json", extra=STUB)
    data = json.loads(done.stdout)["data"]
    assert data["report"]["verdict"] == "fits"
    assert {"film.en.srt", "sync.json"} <= {path.name for path in (reel.out / "film").iterdir()}
    assert film.with_suffix(".en.srt").read_text(encoding="utf-8") == TEXT
    steps = {path.name for path in reel.results.rglob("*")}
    assert steps, "the results are kept"


def test_files_of_another_job_that_leave_the_folder_are_named(reel: Reel, film: Path) -> None:
    run = ("run", film, "--no-film")
    assert "of the job before went" not in reel(*run, extra=STUB).stderr
    done = reel("sync", film, film.with_suffix(".en.srt"), extra=STUB)
    assert "film.en.vtt" in next(line for line in done.stderr.splitlines() if "of the job before went" in line)
    reel(*run, extra=STUB)
    assert (reel.out / "film" / "film.en.vtt").is_file()  # the command makes them again, as the note says


def test_a_file_of_the_user_under_the_name_of_the_result_stays(reel: Reel, film: Path) -> None:
    theirs = reel.out / "film" / "film.en.srt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs", encoding="utf-8")
    reel("sync", film, film.with_suffix(".en.srt"), extra=STUB)
    assert theirs.read_text(encoding="utf-8") == "theirs"
    assert (theirs.parent / "film.reel.en.srt").is_file()


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (["film.mp4", "nowhere.srt"], "subtitles.missing", 4),
        (["film.mp4"], "usage.missing", 2),
        (["film.en.srt", "film.mp4"], "sync.film", 2),
        (["film.mp4", "film.en.srt", "-o", "result.srt"], "sync.output", 2),
    ],
)
def test_what_cannot_be_is_refused_with_its_code(
    reel: Reel, film: Path, words: list[str], code: str, exit_code: int
) -> None:
    named = [str(film.parent / word) if word.startswith("film.") else word for word in words]
    done = reel("sync", *named, extra=STUB, expect=exit_code)
    assert code in done.stderr


def test_the_recipe_without_a_subtitle_says_what_it_needs(reel: Reel, film: Path) -> None:
    done = reel("run", film, "--recipe", "sync", "--subtitles", "none", extra=STUB, expect=4)
    assert "subtitles.needed" in done.stderr


@pytest.mark.parametrize(
    ("speed", "told"),
    [(1.0, "+2.00 s"), (25 * 1001 / 24_000, "25/23.976"), (24_000 / 25_025, "23.976/25"), (1.01, "1.0100")],
)
def test_the_lines_say_how_far_and_by_which_evidence(speed: float, told: str) -> None:
    placed = tuple(
        MovedCue(number=number, file_ms=0, film_ms=2_000, basis=basis, heard=0.5)
        for number, basis in enumerate(("rhythm", "words", "neighbours", "nowhere"), 1)
    )
    shift = Shift(first=1, last=4, start_ms=0, end_ms=9_000, speed=speed, offset_ms=2_000, spread_ms=80)
    lines = list(
        lines_of(
            SyncReport(
                verdict="moved", reason="", method="words", language="en", cues=4, moved=4, median_ms=2_000,
                farthest_ms=2_000, sure=0.5, agreeing=0.8, shifts=(shift,), placed=placed,
            )
        )
    )  # fmt: skip
    assert lines[0].startswith("4 of 4 cues moved, by +2.0 s")
    assert told in lines[1]
    assert len(lines) == 7
    assert "cues 4 to 4" in lines[-1]
