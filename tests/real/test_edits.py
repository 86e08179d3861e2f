"""Corrections as a person makes them: in the published files, kept through every run until they are dropped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from shared.documents.transcript import Transcript
from tests.conftest import ROOT, Reel

JOB = ("run", "film.mp4", "--profile", "starter", "--to", "pt")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the first test leaves the results of the job, so that the others need not wait for a recogniser."""
    return tmp_path_factory.mktemp("known") / "results"


@pytest.fixture
def done(reel: Reel, known: Path) -> Path:
    """Work on a film, and return its folder."""
    shutil.copy(ROOT / "samples" / "demo.mp4", reel.folder / "film.mp4")
    if known.exists():
        shutil.copytree(known, reel.results, dirs_exist_ok=True)
    reel(*JOB)
    if not known.exists():
        shutil.copytree(reel.results, known)
    return reel.out / "film"


def edit(path: Path, old: str, new: str) -> bytes:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path.read_bytes()


def started(stderr: str) -> set[str]:
    return {line.split()[0] for line in stderr.splitlines() if " started " in line}


def test_a_correction_reaches_all_that_depends_on_it_and_stays_until_it_is_dropped(reel: Reel, done: Path) -> None:
    made = (done / "film.en.srt").read_bytes()
    mine = edit(done / "film.en.srt", "popcorn", "bread")
    assert "not taken in yet" in reel("edits", "list", "film.mp4").stdout
    reel(*JOB)
    assert (done / "film.en.srt").read_bytes() == mine
    assert "popcorn" in (done / "film.en.vtt").read_text(encoding="utf-8")

    stderr = reel(*JOB, "--continue").stderr
    behind = {"translate:pt", "refine-translated:pt", "subtitle", "subtitle-translated:pt", "mux"}
    assert started(stderr) == {"correct", *behind}
    assert (done / "film.en.srt").read_bytes() == mine
    assert "bread" in (done / "film.en.vtt").read_text(encoding="utf-8")
    assert "bread" in Transcript.read(done / "transcript.json").text
    assert "uses the corrected film.en.srt" in reel("plan", *JOB[1:]).stdout
    again = json.loads(reel(*JOB, "--json").stdout)["data"]["items"][0]
    assert again["steps_run"] == 0

    reel(*JOB, "--formats", "vtt")
    assert (done / "film.en.srt").read_bytes() == mine
    for other in (("--set", "asr.beam_size=2"), ("--guide", "bbc")):  # the rest changes around it
        reel(*JOB, *other)
        assert "bread" in (done / "film.en.srt").read_text(encoding="utf-8"), other
        assert "bread" in (done / "film.en.vtt").read_text(encoding="utf-8")
    assert (done / "film.en.srt").read_bytes() != mine
    assert json.loads((done / "film.en.quality.json").read_text(encoding="utf-8"))["over_limits"] == 0
    reel(*JOB)
    assert (done / "film.en.srt").read_bytes() == mine
    shutil.rmtree(reel.results)  # with the cache all that is known of corrections goes; the file stays
    reel(*JOB)
    assert (done / "film.en.srt").read_bytes() == mine
    reel(*JOB, "--continue")
    assert "bread" in (done / "film.en.vtt").read_text(encoding="utf-8")

    reel("edits", "drop", "film.mp4", "film.pt.srt", expect=4)
    pins = json.loads(reel("edits", "list", "film.mp4", "--json").stdout)["data"]["pins"]
    assert pins
    reel("edits", "drop", "film.mp4", "0123456789", expect=4)
    assert "dropped: film.en.srt" in reel("edits", "drop", "film.mp4").stdout
    reel(*JOB)
    assert (done / "film.en.srt").read_bytes() == made


def test_a_second_correction_and_one_of_the_transcript_add_to_the_first(reel: Reel, done: Path) -> None:
    edit(done / "film.en.srt", "popcorn", "bread")
    reel(*JOB, "--continue")
    edit(done / "film.en.vtt", "chairs", "tables")
    reel(*JOB, "--continue")
    text = Transcript.read(done / "transcript.json").text
    assert "bread" in text
    assert "tables" in text
    assert "tables" in (done / "film.en.srt").read_text(encoding="utf-8")
    edit(done / "transcript.json", "Good evening,", "Good morning,")
    reel(*JOB, "--continue")
    assert "Good morning," in (done / "film.en.srt").read_text(encoding="utf-8")
    found = Transcript.read(done / "transcript.json")
    assert {"morning,", "bread", "tables"} <= {word.text for segment in found.segments for word in segment.words}
    assert found.text.startswith("Good morning,")


@pytest.mark.parametrize(
    ("name", "content", "code", "says"),
    [
        ("film.en.srt", "", "edits.empty", "is now empty"),
        ("film.en.srt", "1\n00:00:01,000 --> \nHello\n", "check.time", "line 2 should hold two times"),
        ("film.en.srt", "no subtitles at all\n", "check.format", "expected a subtitle file"),
        ("transcript.json", "{}", "correct.transcript", "no longer valid"),
    ],
)
def test_a_correction_that_cannot_be_read_is_told_and_nothing_is_lost(
    reel: Reel, done: Path, name: str, content: str, code: str, says: str
) -> None:
    (done / name).write_text(content, encoding="utf-8")
    failed = reel(*JOB, "--continue", expect=4)
    assert code in failed.stderr
    assert says in failed.stderr
    assert "Traceback" not in failed.stderr
    assert (done / name).read_text(encoding="utf-8") == content
    if code != "edits.empty":
        reel("edits", "drop", "film.mp4")
    (done / name).unlink()
    reel(*JOB)
    assert (done / name).read_text(encoding="utf-8")


def test_two_corrections_of_one_subtitle_at_once_are_refused(reel: Reel, done: Path) -> None:
    edit(done / "film.en.srt", "popcorn", "bread")
    edit(done / "film.en.vtt", "popcorn", "cake")
    assert "were both edited" in reel(*JOB, "--continue", expect=4).stderr
