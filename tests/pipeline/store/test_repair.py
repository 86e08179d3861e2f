"""`runs repair` repairs every state that a hint sends to it, and says in a sentence what it cannot."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.app import App
from pipeline.base.errors import ReelError
from pipeline.cli.commands import runs_upkeep
from pipeline.store.history import RunDetails, Runs
from tests.pipeline.store.test_index import fill, rows

DAMAGES = int(os.environ.get("INDEX_DAMAGES", "60"))
_PAGE = 4096


def repair(app: App) -> dict[str, object]:
    """What the command finds."""
    data = runs_upkeep.repair_store(app).data
    assert isinstance(data, dict)
    return dict(data)


@pytest.fixture
def app(make_app: Callable[..., App]) -> App:
    return make_app(progress="none")


def details(app: App, run: str) -> RunDetails:
    return Runs(app.store, app.project.runs).details(run)


def put(file: Path, content: bytes) -> None:
    """Put another file in its place, so that readers open it again."""
    file.unlink()
    file.write_bytes(content)


def beside(app: App, suffix: str) -> Path:
    return app.store.index.file.with_name(app.store.index.file.name + suffix)


def test_an_index_whose_first_page_alone_is_whole_is_made_anew_by_a_run_and_by_a_repair(
    app: App, tmp_path: Path
) -> None:
    run = fill(app.store, tmp_path / "logs", 40)
    expected, told, whole = rows(app.store), details(app, run), app.store.index.file.read_bytes()
    for by_repair in (True, False):
        put(app.store.index.file, whole[:_PAGE] + random.Random(1).randbytes(len(whole) - _PAGE))
        with pytest.raises(ReelError) as caught:
            rows(app.store)
        assert "reel runs repair" in (caught.value.hint or "")
        if by_repair:
            assert repair(app)["index"]
        else:
            with app.store.open_for_writing("reel run"):
                pass
        assert rows(app.store) == expected
        assert details(app, run) == told


@pytest.mark.slow
def test_a_repair_mends_an_index_that_is_damaged_anywhere(app: App, tmp_path: Path) -> None:
    run, chance = fill(app.store, tmp_path / "logs", 40), random.Random(8)
    expected, told, file = rows(app.store), details(app, run), app.store.index.file
    whole = file.read_bytes()
    for number in range(DAMAGES):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 1, 3, 20))):
            size = chance.choice((1, 8, 200, _PAGE))
            at = chance.randrange(_PAGE if chance.random() < 0.1 else len(damaged))
            damaged[at : at + size] = chance.randbytes(min(size, len(damaged) - at))
        put(file, bytes(damaged)[: chance.choice((None, None, chance.randrange(len(damaged))))])
        for suffix in ("-wal", "-shm"):
            if chance.random() < 0.3:
                beside(app, suffix).write_bytes(chance.randbytes(chance.choice((0, 31, 40_000))))
        with contextlib.suppress(ReelError):
            rows(app.store)  # a reader is told, or reads what is there
        repair(app)
        assert rows(app.store) == expected, f"damage {number}"
        assert details(app, run) == told, f"damage {number}"
        assert app.store.index.damage() is None


@pytest.mark.parametrize(
    "statement",
    ["DROP TABLE runs", "DROP TABLE media", "DROP INDEX run_steps_key", "ALTER TABLE results DROP COLUMN bytes",
     "ALTER TABLE run_steps RENAME COLUMN worker TO who", "PRAGMA user_version=3", "CREATE TABLE more (x)"],
)  # fmt: skip
def test_an_index_with_other_tables_is_made_anew(app: App, tmp_path: Path, statement: str) -> None:
    run = fill(app.store, tmp_path / "logs", 3)
    expected, told = rows(app.store), details(app, run)
    with contextlib.closing(sqlite3.connect(app.store.index.file)) as database:
        database.execute(statement)
        database.commit()
    repair(app)
    assert rows(app.store) == expected
    assert details(app, run) == told
    assert app.store.index.damage() is None


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", ".new"])
def test_a_folder_in_the_place_of_the_index_is_told_with_the_way_out(app: App, tmp_path: Path, suffix: str) -> None:
    fill(app.store, tmp_path / "logs", 1)
    place = beside(app, suffix)
    place.unlink(missing_ok=True)
    place.mkdir()
    if suffix == ".new":
        app.store.index.file.unlink()
    with pytest.raises(ReelError) as caught:
        repair(app)
    assert caught.value.code == "results.unwritable"
    assert str(place) in caught.value.message
    assert "move that away" in (caught.value.hint or "")
    place.rmdir()
    repair(app)
    assert len(rows(app.store)) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_index_that_may_not_be_read_is_told_with_the_way_out(app: App, tmp_path: Path) -> None:
    fill(app.store, tmp_path / "logs", 1)
    app.store.index.file.chmod(0)
    with pytest.raises(ReelError) as caught:
        repair(app)
    assert "may not read and write" in caught.value.message


def test_damaged_files_beside_the_index_are_taken_away_or_written_anew(app: App, tmp_path: Path) -> None:
    run = fill(app.store, tmp_path / "logs", 4)
    told, root = details(app, run), app.store.root
    history = app.store.history / f"{run}.json"
    history.write_bytes(b"\xff\x00 no JSON")
    foreign = app.store.history / "20200101-000000-abcd.json"
    foreign.write_text("{")
    manifest, other, *_ = app.store.manifests()
    manifest.write_bytes(b"\xff\xfe")
    other.unlink()
    other.mkdir()
    (root / "staging" / "half").mkdir(parents=True)
    (root / "staging" / "half" / "film").write_bytes(b"half")
    in_the_way = root / "objects" / "ab" / ("ab" * 32)
    (in_the_way / "deep").mkdir(parents=True)
    found = repair(app)
    assert found["histories"] == [str(history)]
    assert found["lost"] == [str(foreign)]
    assert found["unreadable"] == sorted([str(manifest), str(other)])
    assert found["damaged"] == [str(in_the_way)]
    assert found["results"] == 2
    assert not (root / "staging").exists()
    app.store.index.file.unlink()
    with app.store.open_for_writing("test"):
        assert details(app, run) == told, "the file of the run is whole again"


def damage_in_a_run(app: App, content: bytes) -> None:
    """Damage the index while a run holds the store, and come upon it."""
    with app.store.open_for_writing("reel run"):
        app.store.index.file.write_bytes(content)
        with contextlib.closing(sqlite3.connect(app.store.index.file)) as database:
            database.execute("SELECT * FROM run_steps ORDER BY worker").fetchall()


def test_damage_that_a_run_comes_upon_in_its_middle_is_mended_by_the_next(app: App, tmp_path: Path) -> None:
    fill(app.store, tmp_path / "logs", 20)
    expected, file = rows(app.store), app.store.index.file
    whole = file.read_bytes()
    with pytest.raises(ReelError) as caught:
        damage_in_a_run(app, whole[:_PAGE] + b"\xaa" * (len(whole) - _PAGE))
    assert caught.value.code == "results.damaged"
    with app.store.open_for_writing("reel run"):
        assert app.store.index.damage() is None
        assert rows(app.store) == expected
