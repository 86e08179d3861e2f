"""`--wait`: a command that needs the result store waits for its turn, says for whom, and can be interrupted."""

from __future__ import annotations

import ast
import math
import os
import shutil
import signal
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline.base.errors import Locked, UsageError
from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.base.settings import load_settings
from pipeline.base.wait_limit import wait_limit_s
from pipeline.cli.flag_values import with_explicit_waits
from pipeline.cli.options.jobs import RunMedia
from pipeline.cli.options.shared import WaitFlag
from pipeline.cli.parser import parse
from pipeline.store import store_lock
from pipeline.store.results import ResultStore
from pipeline.store.store_lock import Waiting, take_lock
from tests.conftest import ROOT, Reel
from tests.processes import hears

STUB = {"REEL_STUB": "true"}


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_lock, "_FIRST_INTERVAL_S", 0.01)
    monkeypatch.setattr(store_lock, "_LAST_INTERVAL_S", 0.01)


def held(folder: Path) -> FileLock:
    lock = FileLock(folder / "lock")
    lock.acquire()
    return lock


@pytest.mark.parametrize(
    ("text", "limit_s"), [("", 0), ("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86400)]
)
def test_a_limit_is_a_number_with_a_unit(text: str, limit_s: float) -> None:
    assert wait_limit_s(text) == limit_s
    assert wait_limit_s("forever") == math.inf


@pytest.mark.parametrize("text", ["film.mkv", "-1", "10 m", "1.5h", "10w", "for ever"])
def test_what_is_not_a_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time"):
        wait_limit_s(text)


@pytest.mark.parametrize(
    ("words", "wait", "media"),
    [
        ("run --wait film.mkv", "forever", ["film.mkv"]),
        ("run --wait 10m film.mkv", "10m", ["film.mkv"]),
        ("run --wait=2h film.mkv", "2h", ["film.mkv"]),
        ("run film.mkv --wait", "forever", ["film.mkv"]),
        ("run film.mkv --wait --to pt", "forever", ["film.mkv"]),
        ("run film.mkv -- --wait", None, ["film.mkv", "--wait"]),
        ("run film.mkv", None, ["film.mkv"]),
    ],
)
def test_the_flag_takes_a_time_and_leaves_a_file_alone(words: str, wait: str | None, media: list[str]) -> None:
    _, parsed = parse(words.split())
    assert isinstance(parsed, RunMedia)
    assert (parsed.wait, parsed.media) == (wait, tuple(media))


def test_a_word_before_the_flag_stays_what_it_is() -> None:
    assert with_explicit_waits(["run", "10m", "--wait"]) == ["run", "10m", "--wait=forever"]


@pytest.mark.parametrize(
    ("value", "wait"), [("10m", "10m"), ("600", "600"), ("true", "forever"), ("false", ""), ("forever", "forever")]
)
def test_it_is_a_setting_too(value: str, wait: str) -> None:
    settings, _ = load_settings(CONFIG / "defaults.toml", CODE_ROOT / "none.toml", {"REEL_WAIT": value}, {})
    assert settings.wait == wait


def test_a_setting_that_is_no_time_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"setting `wait` from variable REEL_WAIT cannot be 'soon'"):
        load_settings(CONFIG / "defaults.toml", CODE_ROOT / "none.toml", {"REEL_WAIT": "soon"}, {})


@pytest.mark.usefixtures("quickly")
def test_who_waits_says_once_for_whom_and_goes_on_when_the_other_is_done(tmp_path: Path) -> None:
    other, told = held(tmp_path), list[str]()

    def tell(text: str) -> None:
        told.append(text)
        other.release()

    take_lock(tmp_path / "lock", Waiting(math.inf, tell), lambda: "`reel watch`, process 7").release()
    assert told == ["waiting for the result store: another process is using it: `reel watch`, process 7"]


@pytest.mark.usefixtures("quickly")
def test_a_limit_that_passes_is_an_error_that_says_how_long_it_was(tmp_path: Path) -> None:
    other = held(tmp_path)
    with pytest.raises(Locked) as caught:
        take_lock(tmp_path / "lock", Waiting(0.1), lambda: "`reel watch`, process 7")
    assert (caught.value.code, caught.value.exit_code) == ("results.locked", 6)
    assert "after 0.1s another process still uses the result store: `reel watch`, process 7" in caught.value.message
    other.release()


def test_who_may_not_wait_is_told_of_the_flag(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    with store.open_for_writing("reel run"), pytest.raises(Locked) as caught, store.open_for_writing("another"):
        pass
    assert caught.value.hint is not None
    assert "`--wait`" in caught.value.hint


@pytest.mark.usefixtures("quickly")
def test_of_several_that_wait_each_gets_its_turn_and_none_beside_another(tmp_path: Path) -> None:
    other, waiting, at_work, most = held(tmp_path), threading.Barrier(6), list[int](), list[int]()

    def tell(text: str) -> None:
        waiting.wait()

    def work(number: int) -> None:
        lock = take_lock(tmp_path / "lock", Waiting(math.inf, tell), lambda: "")
        at_work.append(number)
        most.append(len(at_work))
        at_work.remove(number)
        lock.release()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    waiting.wait()
    other.release()
    for thread in threads:
        thread.join()
    assert most == [1] * 5


def test_the_longer_somebody_waits_the_more_often_it_looks() -> None:
    looks = [store_lock._interval_s(waited_s) for waited_s in (0, 10, 30, 59, 60, 6_000)]
    assert looks == sorted(looks, reverse=True)
    assert min(looks) >= 0.1


def test_every_command_that_holds_the_store_can_wait_for_it() -> None:
    opened = [
        (path, call)
        for path in sorted((ROOT / "pipeline").rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("store.open_for_writing")
    ]
    assert len(opened) >= 4
    assert [str(path) for path, call in opened if len(call.args) < 2] == []
    for words in ("run a", "watch a", "edits drop a", "runs repair", "runs prune"):
        _, parsed = parse([*words.split(), "--wait"])
        assert isinstance(parsed, WaitFlag)
        assert parsed.wait == "forever", words


def test_a_run_waits_for_the_one_before_it_and_then_does_its_work(reel: Reel, tmp_path: Path) -> None:
    media = tmp_path / "film.mp4"
    shutil.copyfile(ROOT / "samples" / "demo.mp4", media)
    store = ResultStore(reel.results)
    with store.open_for_writing("the night's job"):
        process = reel.start("run", media, "--wait", "--progress", "plain", extra=STUB)
        hears(process.stderr, f"using it: `the night's job`, process {os.getpid()}")
    with process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "film.en.srt" in out


def test_an_interrupt_while_it_waits_ends_with_130_and_changes_nothing(reel: Reel) -> None:
    with ResultStore(reel.results).open_for_writing("the night's job"):
        before = sorted(reel.results.rglob("*"))
        with reel.start("runs", "repair", "--wait", extra={"REEL_PROGRESS": "plain"}) as process:
            hears(process.stderr, "waiting for the result store")
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
        assert process.returncode == 130
        assert sorted(reel.results.rglob("*")) == before
