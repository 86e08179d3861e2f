"""A watched folder: each file is processed once it is complete, however it arrives, and an interrupt ends politely."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from pipeline.engine.folder_walk import FolderWalk
from pipeline.engine.watch import Watch
from tests.conftest import Reel
from tests.pipeline.engine.test_folder_walk import published
from tests.processes import children, gone

STUB = {"REEL_STUB": "true"}
SETTLE_S = 3.0


class Looks:
    """A watch with a clock of its own."""

    def __init__(self, folder: Path, *ours: Path) -> None:
        self.now, self.told = 0.0, list[str]()
        self.watch = Watch([folder], SETTLE_S, FolderWalk(ours), self.told.append)

    def after(self, seconds: float) -> list[str]:
        self.now += seconds
        return [path.name for path in self.watch.look(self.now)]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def test_a_file_is_taken_once_after_the_settling_time(inbox: Path) -> None:
    looks = Looks(inbox)
    (inbox / "film.mp4").write_text("fi", encoding="utf-8")
    assert looks.after(0) == []
    assert looks.after(SETTLE_S - 1) == []
    (inbox / "film.mp4").write_text("film", encoding="utf-8")  # still being written
    assert looks.after(1) == []
    assert looks.after(SETTLE_S - 1) == []
    assert looks.after(1) == ["film.mp4"]
    assert looks.after(100) == []


def test_a_file_that_changes_later_is_taken_again(inbox: Path) -> None:
    looks = Looks(inbox)
    (inbox / "film.mp4").write_text("film", encoding="utf-8")
    looks.after(0)
    assert looks.after(SETTLE_S) == ["film.mp4"]
    os.utime(inbox / "film.mp4", (1, 1))
    assert looks.after(1) == []
    assert looks.after(SETTLE_S) == ["film.mp4"]


def test_a_file_deleted_before_it_is_complete_is_forgotten(inbox: Path) -> None:
    looks = Looks(inbox)
    (inbox / "film.mp4").write_text("film", encoding="utf-8")
    looks.after(0)
    (inbox / "film.mp4").unlink()
    assert looks.after(SETTLE_S) == []
    (inbox / "film.mp4").write_text("film", encoding="utf-8")
    assert looks.after(1) == [], "it settles anew"


def test_empty_hidden_and_other_files_are_ignored(inbox: Path, tmp_path: Path) -> None:
    looks = Looks(inbox, inbox / "ours")
    for name in ("empty.mp4", ".film.mp4", "._film.mp4", "film.mp4.part", "notes.txt", ".hidden/film.mp4",
                 "ours/film.mp4", "folder.mp4/readme"):  # fmt: skip
        (inbox / name).parent.mkdir(parents=True, exist_ok=True)
        (inbox / name).write_text("" if name == "empty.mp4" else "content", encoding="utf-8")
    published(inbox / "film", inbox / "film.mp4", "film.mkv")
    (inbox / "nowhere.mp4").symlink_to(tmp_path / "nothing")
    (inbox / "deep" / "er").mkdir(parents=True)
    (inbox / "deep" / "er" / "FILM.MKV").write_text("film", encoding="utf-8")
    looks.after(0)
    assert looks.after(SETTLE_S) == ["FILM.MKV"]
    assert looks.told == [
        "passed over: 1 published by reel, 3 hidden, 1 folder of reel's own, 1 partial download, 1 broken link"
    ]


def test_an_absent_disk_is_reported_and_no_file_is_processed_twice(inbox: Path, tmp_path: Path) -> None:
    looks = Looks(inbox)
    (inbox / "film.mp4").write_text("film", encoding="utf-8")
    looks.after(0)
    assert looks.after(SETTLE_S) == ["film.mp4"]
    inbox.rename(tmp_path / "away")
    assert looks.after(1) == looks.after(1) == []
    (tmp_path / "away").rename(inbox)
    assert looks.after(1) == looks.after(SETTLE_S) == []
    assert [text.rsplit("inbox ", 1)[1] for text in looks.told] == [
        "cannot be read at the moment: No such file or directory",
        "can be read again",
    ]


class Watching:
    """A `reel watch` that runs, and what it has said so far."""

    def __init__(self, reel: Reel, inbox: Path, *flags: str, extra: Mapping[str, str] = MappingProxyType(STUB)) -> None:
        self.out, self.err = reel.folder / "stdout", reel.folder / "stderr"
        with open(self.out, "w") as out, open(self.err, "w") as err:
            self.process = subprocess.Popen(
                reel.command("watch", inbox, "--settle", "0.3", *flags), env=reel.environment(extra), cwd=reel.folder,
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
            )  # fmt: skip
        self.says("watching inbox")

    def says(self, text: str, within_s: float = 60) -> None:
        until = time.monotonic() + within_s
        while text not in self.err.read_text(encoding="utf-8"):
            assert time.monotonic() < until, f"it never said {text!r}:\n{self.err.read_text(encoding='utf-8')}"
            assert self.process.poll() is None, self.err.read_text(encoding="utf-8")
            time.sleep(0.05)

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> int:
        workers = children(self.process.pid)
        self.process.send_signal(number)
        code = self.process.wait(60)
        assert gone(workers)
        return code


def test_files_are_found_however_they_arrive_and_an_interrupt_ends_politely(reel: Reel, inbox: Path) -> None:
    (inbox / "there.mp4").write_text("was there before", encoding="utf-8")
    (reel.folder / "elsewhere.mp4").write_text("comes by a rename", encoding="utf-8")
    watching = Watching(reel, inbox)
    watching.says("there.mp4: done")
    with open(inbox / "slow.mp4", "w") as slow:
        for piece in range(10):
            slow.write(f"piece {piece}")
            slow.flush()
            time.sleep(0.15)
    (reel.folder / "elsewhere.mp4").rename(inbox / "moved.mp4")
    shutil.copyfile(inbox / "there.mp4", inbox / "copy.mp4")
    for name in ("slow", "moved", "copy"):
        watching.says(f"{name}.mp4: ")
    again = reel("run", inbox / "slow.mp4", extra=STUB, expect=6)
    assert "`reel watch`" in again.stderr
    assert watching.interrupt() == 0
    assert "4 files: 3 done, 1 reused" in watching.err.read_text(encoding="utf-8"), (
        "nothing was taken twice, nothing before it was whole"
    )
    paths = watching.out.read_text(encoding="utf-8").splitlines()
    assert "out/slow/slow.en.srt" in paths
    assert json.loads(reel("run", inbox, "--json", extra=STUB).stdout)["data"]["counts"] == {"reused": 4}


def test_a_failed_file_does_not_end_the_watch_and_its_new_version_is_processed(reel: Reel, inbox: Path) -> None:
    name = b"film\xff.mp4"  # no text in UTF-8, so that not even a stub takes it
    (inbox / os.fsdecode(name)).write_text("odd", encoding="utf-8")
    watching = Watching(reel, inbox)
    watching.says("[media.name]")
    (inbox / os.fsdecode(name)).rename(inbox / "film.mp4")
    watching.says("film.mp4: done")
    assert watching.interrupt() == 3
    assert "2 files: 1 done, 1 failed" in watching.err.read_text(encoding="utf-8")


def test_a_termination_ends_at_once_and_the_next_watch_continues(reel: Reel, inbox: Path) -> None:
    watching = Watching(reel, inbox)
    for number in range(20):
        (inbox / f"film{number}.mp4").write_text(f"film {number}", encoding="utf-8")
    watching.says("film0.mp4")
    assert watching.interrupt(signal.SIGTERM) == 130
    watching = Watching(reel, inbox)
    for number in range(20):
        watching.says(f"film{number}.mp4: ")
    assert watching.interrupt() == 0


def test_a_watch_awaits_the_users_files_and_not_published_ones(inbox: Path) -> None:
    film, theirs = inbox / "film" / "film.mp4", inbox / "film" / "theirs.mkv"
    published(film.parent, film, "film.mkv", "film.en.srt")
    for path in (film, theirs):
        path.write_text("of the user", encoding="utf-8")
    awaits = Looks(inbox).watch.awaits
    assert awaits(film)
    assert awaits(theirs)
    assert not awaits(film.with_suffix(".mkv"))
    assert not awaits(film.with_name("film.reel.mkv")), "a name is free where nothing lies"
    assert not awaits(film.with_suffix(".en.srt"))


def test_results_may_lie_in_the_watched_folder_itself(reel: Reel, inbox: Path) -> None:
    film = inbox / "film" / "film.mkv"
    film.parent.mkdir()
    film.write_text("the first version", encoding="utf-8")
    watching = Watching(reel, inbox, "-o", str(inbox))
    watching.says("film.mkv: done")
    assert film.with_name("film.reel.mkv").exists()
    assert watching.interrupt() == 0
    film.write_text("another version", encoding="utf-8")  # its own files give way to those of this one
    watching = Watching(reel, inbox, "-o", str(inbox), "--recipe", "transcribe")
    watching.says("film.mkv: done")
    assert watching.interrupt() == 0
    assert "1 file:" in watching.err.read_text(encoding="utf-8")
    assert film.read_text(encoding="utf-8") == "another version"
    assert {path.name for path in film.parent.glob("film*")} == {"film.mkv", "film.en.txt"}


def test_a_folder_that_cannot_be_watched_gives_one_clear_error(reel: Reel, inbox: Path) -> None:
    assert "[watch.folder]" in reel("watch", "nowhere", extra=STUB, expect=2).stderr
