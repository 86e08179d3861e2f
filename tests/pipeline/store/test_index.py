"""The index is never the only place of anything: damaged at any place, it comes back whole."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.base import events
from pipeline.base.errors import ReelError
from pipeline.base.project import CODE_ROOT
from pipeline.store import index
from pipeline.store.history import CardRecord, Runs, StepRecord
from pipeline.store.results import ResultStore, StoredResult


def fill(store: ResultStore, logs: Path, results: int) -> str:
    """Record a run with as many results, each with a step of its own, and return its id."""
    with store.open_for_writing("test"):
        history = Runs(store, logs)
        run = history.start("subtitle", "starter")
        history.record_event(events.WorkerStarted("w1", "asr (whisper)", "here", 1))
        history.record_event(events.WorkerLoaded("w1", "asr", "whisper", ("base",), 2.5, 300.0))
        for number in range(results):
            key = f"{number:064x}"
            history.record_event(events.StepStarted("film", f"s{number}", "whisper", "new", None, "w1"))
            commit(store, key)
            history.record(run, "media", StepRecord("film", f"s{number}", "whisper", key, "done", 1.0))
        history.record_event(events.WorkerMeasured("w1", 1.0, 500.0))
        history.finish(run, "done")
    return run


def commit(store: ResultStore, key: str) -> None:
    folder = store.make_staging("step")
    (folder / "out.bin").write_text(key, encoding="utf-8")
    made_of = {"stage": "asr", "backend": "whisper"}
    outputs = {"out": store.take_in(folder / "out.bin")}
    result = {"key": key, "ingredients": made_of, "outputs": outputs, "facts": {}, "warnings": ()}
    whole = StoredResult.model_validate({**result, "seconds": 1.0, "cpu_s": 1.0, "memory_mb": None})
    store.write_manifest(whole)
    store.note(whole)


def rows(store: ResultStore) -> list[tuple[object, ...]]:
    return store.index.query("SELECT key FROM results ORDER BY key")


@pytest.mark.slow
def test_damaged_at_any_place_it_is_told_in_one_sentence_and_made_anew(tmp_path: Path) -> None:
    store, chance = ResultStore(tmp_path / "results"), random.Random(5)
    run = fill(store, tmp_path / "logs", 40)
    whole, details = store.index.file.read_bytes(), Runs(store, tmp_path).details(run)
    expected = rows(store)
    for number in range(40):
        at = chance.randrange(len(whole))
        rubbish = whole[:at] if number % 2 else whole[:at] + chance.randbytes(4000) + whole[at + 4000 :]
        store.index.file.write_bytes(rubbish)
        with store.open_for_writing("test"):
            if store.index.damage():  # in a place that opening does not touch
                store.index.rebuild(store.refill)
            assert rows(store) == expected, f"damage {number} at {at}"
            assert Runs(store, tmp_path).details(run) == details, f"damage {number} at {at}"


def test_a_reader_of_a_damaged_index_is_told_the_way_out(tmp_path: Path) -> None:
    store = ResultStore(tmp_path / "results")
    fill(store, tmp_path / "logs", 3)
    store.index.file.write_bytes(b"no database " * 400)
    with pytest.raises(ReelError) as caught:
        Runs(store, tmp_path).all()
    assert caught.value.code == "results.damaged"
    assert "reel runs repair" in (caught.value.hint or "")


def test_what_only_the_index_knew_of_runs_is_saved_from_a_damaged_one(tmp_path: Path) -> None:
    store = ResultStore(tmp_path / "results")
    run = fill(store, tmp_path / "logs", 3)
    (store.history / f"{run}.json").unlink()
    with store.open_for_writing("test"):
        store.index.rebuild(store.refill)
    assert len(Runs(store, tmp_path).details(run).steps) == 3


def test_a_run_that_was_cut_off_is_closed_and_kept_by_the_next(tmp_path: Path) -> None:
    store = ResultStore(tmp_path / "results")
    with store.open_for_writing("test"):
        history = Runs(store, tmp_path)
        cut_off = history.start("subtitle", "starter")
        history.record(cut_off, "media", StepRecord("film", "asr", "whisper", None, "failed", 1.0))
        history.record_event(events.WorkerStarted("w1", "asr (whisper)", "here", 1))
        history.record_event(events.WorkerMeasured("w1", 1.0, 400.0, None, 500.0))
        for used_mb, busy in ((6000.0, 1.0), (7000.0, None), (500.0, 0.5)):
            history.record_event(events.CardMeasured("here", "GPU-1", "RTX 3090", used_mb, 24000.0, busy))
        history.record_event(events.CardMeasured("here", "GPU-2", "RTX 3090", 100.0, 24000.0, None))
    with store.open_for_writing("test"):
        Runs(store, tmp_path).start("subtitle", "starter")
    store.index.file.unlink()
    with store.open_for_writing("test"):
        found = Runs(store, tmp_path).details(cut_off)
    assert (found.run.state, len(found.steps)) == ("interrupted", 1)
    assert found.workers[0].peak_memory_mb == 500.0, "the worker was alive when its orchestrator was cut off"
    assert found.cards == (
        CardRecord("here", "GPU-1", "RTX 3090", 24000.0, 7000.0, 0.75),
        CardRecord("here", "GPU-2", "RTX 3090", 24000.0, 100.0, None),
    )


def test_a_network_disk_is_refused_for_the_index_and_not_for_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = tmp_path / "far"
    monkeypatch.setattr(index, "network_disk", lambda folder: "nfs4" if folder.is_relative_to(far) else None)
    with pytest.raises(ReelError) as caught, ResultStore(far).open_for_writing("test"):
        pass
    assert caught.value.code == "results.network-disk"
    assert "index_dir" in (caught.value.hint or "")
    with ResultStore(far, tmp_path / "near").open_for_writing("test"):
        pass
    assert (tmp_path / "near" / "index.sqlite").exists()


def test_an_index_of_another_release_is_made_anew_with_its_runs(tmp_path: Path) -> None:
    store = ResultStore(tmp_path / "results")
    run = fill(store, tmp_path / "logs", 2)
    with contextlib.closing(sqlite3.connect(store.index.file)) as database:
        database.execute("PRAGMA user_version=99")
    with store.open_for_writing("test"):
        assert len(rows(store)) == 2
        assert Runs(store, tmp_path).details(run).workers[0].peak_memory_mb == 500.0


def test_runs_in_an_index_of_an_earlier_release_are_read_before_anyone_writes(tmp_path: Path) -> None:
    store = ResultStore(tmp_path / "results")
    run = fill(store, tmp_path / "logs", 2)
    with contextlib.closing(sqlite3.connect(store.index.file)) as database:
        database.execute("ALTER TABLE run_steps DROP COLUMN worker")
        database.execute("ALTER TABLE run_items ADD COLUMN mood TEXT")
        database.execute("DROP TABLE run_cards")
        database.execute("PRAGMA user_version=3")
        database.commit()
    before = store.index.file.read_bytes()
    history = Runs(ResultStore(tmp_path / "results"), tmp_path)
    assert [record.id for record in history.all()] == [run]
    assert [step.step for step in history.details(run).steps] == ["s0", "s1"]
    assert history.last_ingredients("media", "s1") == {"stage": "asr", "backend": "whisper"}
    assert store.index.file.read_bytes() == before, "reading changes nothing"
    with store.open_for_writing("test"):
        pass
    assert rows(store), "the same process reads the new index once a writer has made it"


_WRITER = """
import sys; sys.path.insert(0, {root!r})
from pathlib import Path
from tests.pipeline.store.test_index import commit
from pipeline.store.results import ResultStore
store = ResultStore(Path({results!r}))
with store.open_for_writing("reel run"):
    print("ready", flush=True)
    for number in range({first}, {first} + 100000):
        commit(store, f"{{number:064x}}")
"""


@pytest.mark.slow
def test_kills_in_the_middle_of_commits_lose_no_result_and_leave_no_row_without_one(tmp_path: Path) -> None:
    store, chance = ResultStore(tmp_path / "results"), random.Random(11)
    for round_ in range(12):
        script = _WRITER.format(root=str(CODE_ROOT), results=str(tmp_path / "results"), first=round_ * 1_000_000)
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            before = len(store.manifests())
            while len(store.manifests()) == before:  # on a slow disk a commit takes its time
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.15))
            writer.kill()
        with store.open_for_writing("test"):
            found = {str(key) for (key,) in rows(store)}
            written = {path.stem for path in store.manifests()}
            assert found == written
            assert all(store.lookup(key) for key in found)
            assert not list((tmp_path / "results" / "staging").glob("*"))
    assert len(found) >= 12
