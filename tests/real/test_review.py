"""Corrections of the review page on real results: what they reach, what they repeat, and what they outlive."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from pipeline.engine.project import Project
from pipeline.web.review.made_files import MadeFiles
from shared.documents.media import Media, Track
from shared.documents.transcript import Transcript
from tests.conftest import ROOT, Reel
from tests.fakes.review_page import Page, change, events_of
from tests.fakes.web_client import Server, end_server, start_server

JOB = ("run", "film.mp4", "--profile", "starter", "--to", "pt", "--set", "subtitle.line_length=40")


@pytest.fixture
def server(reel: Reel) -> Iterator[Server]:
    """Return a server without a media folder, after a run of the command line."""
    shutil.copy(ROOT / "samples" / "demo.mp4", reel.folder / "film.mp4")
    reel("envs", "ensure", "serve")
    reel(*JOB)
    started = start_server(reel, "--linger", "0")
    yield started
    if started.process.poll() is None:
        end_server(started)


def applied(server: Server, page: Page) -> set[str]:
    """Apply the draft, and return the steps that were done for it."""
    reply = page.apply()
    assert reply.status == 202, reply.body
    job = server.wait_for(reply.data["job"], "done", "failed")
    assert job["error"] is None
    return {one["step"] for one in events_of(server, job["id"]) if one["event"] == "StepDone"}


def test_corrections_reach_all_that_depends_on_them_and_outlive_other_settings(server: Server, reel: Reel) -> None:
    folder = reel.out / "film"
    page = Page.of(server, folder)
    document = page.read()
    assert document["picture"]["tier"] == "none"  # the film lies in no media folder
    assert "--media" in document["picture"]["why"]
    cue = next(one for one in document["cues"] if "popcorn" in " ".join(one["cue"]["lines"]))
    translated = next(one for one in document["cues"] if one["track"] == "pt" and one["segments"] == cue["segments"])
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    # One word, and only what depends on it is done; the film's languages are known from the record of the job.
    lines = [line.replace("popcorn", "bread") for line in cue["cue"]["lines"]]
    assert page.send(change(cue["cue"], cue["id"], *lines)).status == 200
    behind = {"translate:pt", "refine-translated:pt", "subtitle-translated:pt"}
    assert applied(server, page) - behind == {"correct", "subtitle", "mux"}
    for name in ("film.en.srt", "film.en.vtt", "transcript.json"):
        assert "bread" in (folder / name).read_text(encoding="utf-8"), name
    said = Transcript.read(folder / "transcript.json")
    assert [word.probability for one in said.segments for word in one.words if "bread" in word.text] == [1.0]
    found = server.ask("GET", f"{page.path}/changes").data
    assert found["counts"]["you"] >= 1
    assert any(lines == after["lines"] for one in found["changes"] for after in one["after"])
    assert before["film.en.srt"].replace(b"popcorn", b"bread") == (folder / "film.en.srt").read_bytes()

    # A speaker and a translation, with the words of the first correction still there.
    document = page.read()
    speaker = document["speakers"][0]["id"]
    translated = next(one for one in document["cues"] if one["id"] == translated["id"])
    page.send({"id": f"speaker/{speaker}", "before": {"name": speaker}, "after": {"name": "Anna"}})
    assert page.send(change(translated["cue"], translated["id"], "O pao esta quente.")).status == 200
    steps = applied(server, page)
    assert {"correct", "correct-translated:pt", "subtitle-translated:pt", "mux"} <= steps
    assert not steps & {"asr", "diarize"}
    text = (folder / "transcript.json").read_text(encoding="utf-8")
    assert "Anna" in text
    assert speaker not in text + (folder / "speakers.rttm").read_text(encoding="utf-8")
    assert "O pao esta quente." in (folder / "film.pt.srt").read_text(encoding="utf-8")
    assert page.read()["cues"][0]["source_changed"] is None
    end_of_review(server, reel, page, before)


def end_of_review(server: Server, reel: Reel, page: Page, before: dict[str, bytes]) -> None:
    """The command line sees the corrections, keeps them under another profile and guide, and drops them."""
    folder = reel.out / "film"
    listed = json.loads(reel("edits", "list", "film.mp4", "--json").stdout)["data"]
    assert {one["file"] for one in listed["edits"]} == {"film.en.json", "film.pt.json"}
    pins = server.ask("GET", f"{page.path}/edits").data["pins"]
    assert [one["id"] for one in pins] == [one["id"] for one in listed["pins"]]
    end_server(server)
    model = "asr.models.whisper=faster-whisper-base"  # the profile's own need not be here
    reel(*JOB[:2], "--profile", "balanced", "--to", "pt", "--set", model, "--set", "asr.beam_size=2", "--set",
         "subtitle.line_length=20")  # fmt: skip
    record = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    assert record["profile"] == "balanced"
    for name, word in (("film.en.srt", "bread"), ("film.pt.srt", "quente."), ("transcript.json", "Anna")):
        assert word in (folder / name).read_text(encoding="utf-8"), name
    reel("edits", "drop", "film.mp4")
    reel(*JOB)
    assert {name: (folder / name).read_bytes() for name in before} == before


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_a_still_shows_the_moment_of_the_sound_in_a_film_that_starts_late(
    real_project: Project, ffmpeg: Path, tmp_path: Path, suffix: str
) -> None:
    film = tmp_path / f"film.{suffix}"
    colours = [f"color=c={colour}:s=64x48:r=25:d=2" for colour in ("red", "blue")]
    given: list[str | Path] = [word for one in colours for word in ("-f", "lavfi", "-i", one)]
    subprocess.run(
        [ffmpeg, "-nostdin", "-loglevel", "error", *given, "-filter_complex", "concat=n=2", "-c:v", "libx264",
         "-output_ts_offset", "5", film], check=True,
    )  # fmt: skip
    made = MadeFiles(tmp_path / "made", real_project.installed)
    track = Track(index=0, kind="video", codec="h264")
    info = Media(
        container="mpegts" if suffix == "ts" else suffix, start_ms=5000, duration_ms=4000, tracks=(track,),
        audio_track=0, decoded_ms=0,
    )  # fmt: skip
    pictures: list[Future[Path | None]] = [made.still("digest", film, info, number) for number in (1, 3, 9)]
    shown = [colour_of(ffmpeg, path) if path else "none" for path in (one.result() for one in pictures)]
    made.close()
    assert shown == ["red", "blue", "none"]


def colour_of(program: Path, picture: Path) -> str:
    """Return the colour that most of a picture has."""
    command: list[str | Path] = [program, "-nostdin", "-loglevel", "error", "-i", picture, "-vf", "scale=1:1", "-f",
                                 "rawvideo", "-pix_fmt", "rgb24", "-"]  # fmt: skip
    red, _, blue = subprocess.run(command, capture_output=True, check=True).stdout[:3]
    return "red" if red > blue else "blue"
