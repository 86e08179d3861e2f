"""`reel run` and `reel plan` with existing subtitles, on stub stages: which is taken, why, and what it leads to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Reel

DEMO = ROOT / "samples" / "demo.mp4"
STUB = {"REEL_STUB": "true"}
TEXT = "1\n00:00:01,000 --> 00:00:02,000\nHello.\n"


@pytest.fixture
def film(tmp_path: Path) -> Path:
    place = tmp_path / "films" / "film.mp4"
    place.parent.mkdir()
    shutil.copyfile(DEMO, place)
    return place


def _steps(reel: Reel, *arguments: str | Path) -> dict[str, dict[str, Any]]:
    done = reel("plan", *arguments, "--json", extra=STUB)
    [item] = json.loads(done.stdout)["data"]["items"]
    return {step["step"]: step for step in item["steps"]}


@pytest.mark.smoke
def test_a_subtitle_is_translated_without_a_film_under_the_names_of_its_film(reel: Reel, tmp_path: Path) -> None:
    subtitle = tmp_path / "film.en.srt"
    subtitle.write_text(TEXT, encoding="utf-8")
    reel("run", subtitle, "--to", "pt", extra=STUB)
    assert sorted(path.name for path in (reel.out / "film").iterdir()) == [
        "film.en.quality.json", "film.en.srt", "film.en.vtt", "film.pt.quality.json", "film.pt.srt", "film.pt.vtt",
        "job.json", "report.html", "transcript.json",
    ]  # fmt: skip
    again = reel("plan", subtitle, "--to", "pt", "--json", extra=STUB)
    assert {step["verdict"] for step in json.loads(again.stdout)["data"]["items"][0]["steps"]} == {"reused"}


def test_a_translation_beside_a_subtitle_leaves_it_alone(reel: Reel, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    subtitle = folder / "film.en.srt"
    subtitle.write_text(TEXT, encoding="utf-8")
    reel("run", subtitle, "--to", "pt", "--beside", extra=STUB)
    assert subtitle.read_text(encoding="utf-8") == TEXT
    assert sorted(path.name for path in folder.iterdir()) == [".reel", "film.en.srt", "film.pt.srt"]


def test_by_default_a_subtitle_beside_a_film_changes_nothing(reel: Reel, film: Path) -> None:
    before = _steps(reel, film, "--to", "pt")
    film.with_suffix(".en.srt").write_text(TEXT, encoding="utf-8")
    assert _steps(reel, film, "--to", "pt") == before


def test_the_plan_names_the_subtitle_and_why(reel: Reel, film: Path) -> None:
    film.with_suffix(".en.srt").write_text(TEXT, encoding="utf-8")
    for flags in (["--subtitles", "auto"], ["--subtitles", film.with_suffix(".en.srt")], ["--beside"]):
        step = _steps(reel, film, "--to", "pt", *flags)["read"]
        assert "film.en.srt stands for recognition" in step["reason"]
    assert "read" not in _steps(reel, film, "--to", "pt", "--beside", "--subtitles", "none")


def test_a_run_says_which_subtitle_it_takes_and_takes_another_content_as_another_input(reel: Reel, film: Path) -> None:
    subtitle = film.with_suffix(".en.srt")
    subtitle.write_text(TEXT, encoding="utf-8")
    words = ("run", film, "--to", "pt", "--subtitles", "auto", "--no-film")
    assert "film.en.srt stands for recognition" in reel(*words, extra=STUB).stderr
    steps = _steps(reel, *words[1:])
    assert {step["verdict"] for step in steps.values()} == {"reused"}
    subtitle.write_text(f"{TEXT}\n2\n00:00:03,000 --> 00:00:04,000\nBye.\n", encoding="utf-8")
    steps = _steps(reel, *words[1:])
    assert (steps["read"]["verdict"], steps["vad"]["verdict"]) == ("redone", "reused")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["film.mp4", "--subtitles", "nowhere.srt"], "subtitles.missing"),
        (["film.mp4", "--subtitles", "track:x"], "settings.value"),
        (["film.mp4", "film.mp4.en.srt", "--subtitles", "nowhere.srt"], "subtitles.several"),
        (["film.mp4.en.srt", "--recipe", "screen-text"], "subtitles.no-film"),
        (["film.mp4.en.srt", "--to", "en", "--set", "translate.backend=whisper"], "translate.no-sound"),
    ],
)
def test_what_cannot_be_is_said_before_the_first_step(reel: Reel, film: Path, words: list[str], code: str) -> None:
    (film.parent / "film.mp4.en.srt").write_text(TEXT, encoding="utf-8")
    named = [str(film.parent / word) if word.startswith("film.") else word for word in words]
    extra = {} if code.startswith("translate") else STUB
    done = reel("run", *named, "--json", extra=extra, expect=None)
    assert done.returncode in {2, 4}
    assert code in done.stdout + done.stderr
