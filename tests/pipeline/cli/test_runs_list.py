"""The history as a user reads it: what was run, how it ended, and what was printed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.conftest import ROOT, Reel

STUB = {"REEL_STUB": "true"}


def test_the_history_shows_what_was_done(reel: Reel, tmp_path: Path) -> None:
    media = shutil.copyfile(ROOT / "samples" / "demo.mp4", tmp_path / "film.mp4")
    assert "there are no runs yet" in reel("runs", "list").stdout
    reel("run", media, extra=STUB)
    runs = json.loads(reel("runs", "list", "--json").stdout)["data"]["runs"]
    assert [(run["state"], run["items"], run["media"]) for run in runs] == [("done", {"done": 1}, ["film.mp4"])]
    assert runs[0]["seconds"] >= 0
    head, row = reel("runs", "list").stdout.splitlines()
    assert head.split() == ["RUN", "STATE", "TIME", "RECIPE", "PROFILE", "FILES", "NAMES"]
    assert row.endswith("1 done  film.mp4")
    logs = json.loads(reel("runs", "log", "--json").stdout)["data"]["logs"]
    assert all(Path(log["file"]).is_file() for log in logs)
    assert Path(logs[0]["file"]).name in reel("runs", "log", runs[0]["id"]).stdout
    assert "it has those of" in reel("runs", "log", "--only", "nothing", expect=2).stderr
    shown = json.loads(reel("runs", "show", "--json").stdout)["data"]
    assert shown["run"] == runs[0]["id"]
    assert {step["state"] for step in shown["steps"]} <= {"done", "reused"}
    assert "demux" in reel("runs", "show", runs[0]["id"]).stdout
