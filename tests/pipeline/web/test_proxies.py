"""A copy of a film's picture is made when a person asks for it, kept among the results, and given up before others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.made_up_film import plant
from pipeline.publishing.prune_results import SurveyOptions, survey
from pipeline.store.results import ResultStore
from shared.documents.media import Media, Track
from tests.conftest import Reel
from tests.fakes.review_page import Page, change
from tests.fakes.web_client import Server

Serve = Callable[..., Server]
PICTURE = Track(index=0, kind="video", codec="hevc", width=1280, height=720, frame_rate=25.0)
SOUND = Track(index=1, kind="audio", codec="ac3", sample_rate=48_000, channels=2)
INFO = Media(
    container="matroska,webm", start_ms=5000, duration_ms=2000, tracks=(PICTURE, SOUND), audio_track=1, decoded_ms=2000
)


@pytest.fixture
def published(reel: Reel, films: Path) -> Path:
    """Return the published folder of a film that browsers do not play, as far as reel knows."""
    reel("run", "--stub", films / "demo.mp4")
    plant(reel.results, {("demux", "media"): INFO.as_text().encode()})
    reel("run", "--stub", films / "demo.mp4", "--force", "subtitle")
    return reel.out / "demo"


def made(server: Server, page: Page) -> str:
    """Have the copy made, and return its job."""
    asked = server.ask("POST", f"{page.path}/proxy")
    assert asked.status == 202, asked.body
    assert asked.headers["location"].endswith(asked.data["job"])
    job = server.wait_for(asked.data["job"], "done", "failed")
    assert job["error"] is None
    return str(job["id"])


def test_a_picture_that_no_browser_plays_is_copied_on_request_and_nothing_else_changes(
    serve: Serve, films: Path, published: Path
) -> None:
    server = serve()
    page = Page.of(server, published)
    picture = page.read()["picture"]
    assert (picture["tier"], picture["proxy"]) == ("stills", None)
    missing = server.ask("GET", f"{page.path}/proxy")
    assert (missing.status, missing.data["code"]) == (404, "review.no-proxy")
    (published / "demo.en.srt").write_text("1\n00:00:00,500 --> 00:00:01,000\nBy hand.\n", encoding="utf-8")
    before = {path.name: path.read_bytes() for path in published.iterdir()}
    made(server, page)
    assert {path.name: path.read_bytes() for path in published.iterdir()} == before
    assert server.ask("GET", f"{page.path}/edits").data["waiting"] == ["demo.en.srt"]  # a hand's work is not touched
    assert page.read()["picture"]["proxy"] == {"href": "proxy", "type": "video/mp4"}
    whole = server.ask("GET", f"{page.path}/proxy")
    assert (whole.status, whole.headers["content-type"]) == (200, "video/mp4")
    assert whole.body == (films / "demo.mp4").read_bytes() + b"\0"  # what a stub copies
    part = server.ask("GET", f"{page.path}/proxy", headers={"range": "bytes=100-199"})
    assert (part.status, part.body) == (206, whole.body[100:200])
    assert [one["name"] for one in server.ask("GET", "/api/1/media").data["media"]] == ["demo.mp4"]
    (films / "demo.mp4").unlink()
    assert server.ask("POST", f"{page.path}/proxy").data["code"] == "review.no-picture"
    assert server.ask("GET", f"{page.path}/proxy").status == 200


def test_a_copy_that_was_made_is_reused_until_room_is_needed_and_the_command_line_makes_one_too(
    serve: Serve, reel: Reel, films: Path, published: Path
) -> None:
    said = reel("run", "--stub", films / "demo.mp4", "--recipe", "proxy").stderr
    assert "nothing is published" in said
    server = serve("--linger", "0")
    page = Page.of(server, published)
    assert page.read()["picture"]["proxy"]
    steps = server.ask("GET", f"/api/1/jobs/{made(server, page)}/work").data["steps"]
    assert {(one["step"], one["state"]) for one in steps} == {("probe", "reused"), ("proxy", "reused")}
    assert "proxy" not in [one["name"] for one in server.ask("GET", "/api/1/choices").data["recipes"]]

    # It is given up before any other result, and then made again.
    cue = page.cue("en/0")
    assert cue
    page.send(change(cue, "en/0", "Mine."))  # a draft keeps what is known of the film
    store = ResultStore(reel.results)
    found = survey(store, float("inf"), 0, options=SurveyOptions(intermediates=True, unattended=True)).surplus
    assert [one.what.partition(" ")[0] for one in found if one.key][:1] == ["proxy"]
    reel("runs", "prune", "--intermediates", "--keep", "0MB", "--older-than", "0d", "--yes", "--wait")
    assert page.read()["picture"]["proxy"] is None
    assert server.ask("GET", f"{page.path}/proxy").status == 404
    made(server, page)
    assert page.read()["picture"]["proxy"]
