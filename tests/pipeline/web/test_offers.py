"""The offers of a page before a job is queued: choices, folders, plans; and its view of the job afterwards."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import pytest

from pipeline.web.media_roots import LISTED, PAGE_SUFFIXES, MediaRoots
from pipeline.web.refused import Refused
from tests.fakes.web_client import Server
from tests.pipeline.web.conftest import Serve


def test_a_folder_shows_its_folders_and_media_files_and_nothing_else(tmp_path: Path) -> None:
    films, other = tmp_path / "films", tmp_path / "other"
    for folder in (films / "Part 10", films / "Part 9", films / ".hidden", other):
        folder.mkdir(parents=True)
    for name in ("b 10.mkv", "b 9.MKV", "notes.txt", ".c.mp4", "poster.jpg", "letter.PDF"):
        (films / name).write_bytes(b"x")
    (films / "out of it.mkv").symlink_to(other / "x.mkv")
    (films / "out").symlink_to(other)
    (films / "in circles").symlink_to(films / "in circles")
    os.mkfifo(films / "pipe.mkv")
    roots = MediaRoots.of([str(films)], [])
    assert [one.path for one in roots.listing("").folders] == [str(films)]
    found = roots.listing(str(films))
    assert [one.name for one in found.folders] == ["Part 9", "Part 10"]
    assert [(one.name, one.bytes) for one in found.files] == [("b 9.MKV", 1), ("b 10.mkv", 1)]
    assert found.parent == ""
    assert [one.name for one in roots.listing(str(films), PAGE_SUFFIXES).files] == ["letter.PDF", "poster.jpg"]
    assert roots.listing(str(films / "Part 9")).parent == str(films)


@pytest.mark.parametrize("name", ["/", "/etc", "..", "films", "{films}/..", "{films}/none", "{films}/a.mkv", "a\0b"])
def test_no_other_folder_is_shown(tmp_path: Path, name: str) -> None:
    films = tmp_path / "films"
    films.mkdir()
    (films / "a.mkv").write_bytes(b"x")
    with pytest.raises(Refused):
        MediaRoots.of([str(films)], []).listing(name.replace("{films}", str(films)))
    with pytest.raises(Refused):
        MediaRoots().listing(name)
    assert MediaRoots().listing("").folders == ()


def test_a_large_folder_says_how_many_files_it_does_not_show(tmp_path: Path) -> None:
    for number in range(LISTED + 5):
        (tmp_path / f"{number}.mp3").touch()
    listing = MediaRoots.of([str(tmp_path)], []).listing(str(tmp_path))
    assert (len(listing.files), listing.more) == (LISTED, 5)


def test_choices_plan_and_progress_of_a_job(serve: Serve, films: Path) -> None:
    server: Server = serve("--to", "pt")
    choices = server.ask("GET", "/api/1/choices").data
    assert {one["name"]: one["takes_targets"] for one in choices["recipes"]}["transcribe"] is False
    assert (choices["defaults"]["recipe"], choices["defaults"]["to"]) == ("subtitle", ["pt"])
    assert {"tag": "hi", "names": ["Hindi", "हिन्दी", "हिंदी"]} in choices["languages"]
    listing = server.ask("GET", f"/api/1/folders?path={quote(str(films))}").data
    assert [one["name"] for one in listing["files"]] == ["demo.mp4"]
    body = {"path": listing["files"][0]["path"], "to": ["hi"]}
    plan = server.ask("POST", "/api/1/plan", body).data
    assert {step["verdict"] for step in plan["steps"]} == {"new"}
    assert "translate:hi" in [step["step"] for step in plan["steps"]]
    assert server.ask("POST", "/api/1/plan", {"recipe": "transcribe"}).data["steps"]
    for mistake, code in (({"to": "klingonish"}, "settings.value"), ({"path": "/etc/passwd"}, "serve.outside")):
        assert server.ask("POST", "/api/1/plan", mistake).data["code"] == code
    name = server.ask("POST", "/api/1/jobs", body).data["id"]
    assert server.wait_for(name, "done", "failed")["state"] == "done"
    work = server.ask("GET", f"/api/1/jobs/{name}/work").data
    assert {step["state"] for step in work["steps"]} <= {"done", "reused"}
    assert work["text"][-1]["text"] == "Hello."
    chart = server.ask("GET", f"/api/1/runs/{work['run']}/chart.svg")
    assert chart.headers["content-type"].startswith("image/svg+xml")
    assert server.ask("GET", "/api/1/runs/none/chart.svg").status == 404
    again = server.ask("POST", "/api/1/plan", body).data
    assert {step["verdict"] for step in again["steps"]} == {"reused"}
    assert server.ask("GET", "/api/1/work").data == {"jobs": {}, "set_up": []}
