"""`runs repair` repairs every state that a hint sends to it, and says in a sentence what it cannot."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.base.errors import ReelError
from pipeline.cli.commands import runs_upkeep
from pipeline.engine.project import Project
from pipeline.store.history import RunDetails, Runs
from tests.pipeline.store.test_index import fill, rows

DAMAGES = int(os.environ.get("INDEX_DAMAGES", "60"))
_PAGE = 4096


def repair(project: Project) -> dict[str, object]:
    """Return what the command finds."""
    data = runs_upkeep.repair_store(project).data
    assert isinstance(data, dict)
    return dict(data)


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project(progress="none")


def details(project: Project, run: str) -> RunDetails:
    return Runs(project.store, project.folders.runs).details(run)


def put(file: Path, content: bytes) -> None:
    """Put another file in its place, so that readers open it again."""
    file.unlink()
    file.write_bytes(content)


def beside(project: Project, suffix: str) -> Path:
    return project.store.index.file.with_name(project.store.index.file.name + suffix)


def test_an_index_whose_first_page_alone_is_whole_is_made_anew_by_a_run_and_by_a_repair(
    project: Project, tmp_path: Path
) -> None:
    run = fill(project.store, tmp_path / "logs", 40)
    expected, told, whole = rows(project.store), details(project, run), project.store.index.file.read_bytes()
    for by_repair in (True, False):
        put(project.store.index.file, whole[:_PAGE] + random.Random(1).randbytes(len(whole) - _PAGE))
        with pytest.raises(ReelError) as caught:
            rows(project.store)
        assert "reel runs repair" in (caught.value.hint or "")
        if by_repair:
            assert repair(project)["index"]
        else:
            with project.store.open_for_writing("reel run"):
                pass
        assert rows(project.store) == expected
        assert details(project, run) == told


@pytest.mark.slow
def test_a_repair_mends_an_index_that_is_damaged_anywhere(project: Project, tmp_path: Path) -> None:
    run, chance = fill(project.store, tmp_path / "logs", 40), random.Random(8)
    expected, told, file = rows(project.store), details(project, run), project.store.index.file
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
                beside(project, suffix).write_bytes(chance.randbytes(chance.choice((0, 31, 40_000))))
        with contextlib.suppress(ReelError):
            rows(project.store)  # a reader is told, or reads what is there
        repair(project)
        assert rows(project.store) == expected, f"damage {number}"
        assert details(project, run) == told, f"damage {number}"
        assert project.store.index.damage() is None


@pytest.mark.parametrize(
    "statement",
    ["DROP TABLE runs", "DROP TABLE media", "DROP INDEX run_steps_key", "ALTER TABLE results DROP COLUMN bytes",
     "ALTER TABLE run_steps RENAME COLUMN worker TO who", "PRAGMA user_version=3", "CREATE TABLE more (x)"],
)  # fmt: skip
def test_an_index_with_other_tables_is_made_anew(project: Project, tmp_path: Path, statement: str) -> None:
    run = fill(project.store, tmp_path / "logs", 3)
    expected, told = rows(project.store), details(project, run)
    with contextlib.closing(sqlite3.connect(project.store.index.file)) as database:
        database.execute(statement)
        database.commit()
    repair(project)
    assert rows(project.store) == expected
    assert details(project, run) == told
    assert project.store.index.damage() is None


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", ".new"])
def test_a_folder_in_the_place_of_the_index_is_told_with_the_way_out(
    project: Project, tmp_path: Path, suffix: str
) -> None:
    fill(project.store, tmp_path / "logs", 1)
    place = beside(project, suffix)
    place.unlink(missing_ok=True)
    place.mkdir()
    if suffix == ".new":
        project.store.index.file.unlink()
    with pytest.raises(ReelError) as caught:
        repair(project)
    assert caught.value.code == "results.unwritable"
    assert str(place) in caught.value.message
    assert "move that away" in (caught.value.hint or "")
    place.rmdir()
    repair(project)
    assert len(rows(project.store)) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_index_that_may_not_be_read_is_told_with_the_way_out(project: Project, tmp_path: Path) -> None:
    fill(project.store, tmp_path / "logs", 1)
    project.store.index.file.chmod(0)
    with pytest.raises(ReelError) as caught:
        repair(project)
    assert "may not read and write" in caught.value.message


def test_damaged_files_beside_the_index_are_taken_away_or_written_anew(project: Project, tmp_path: Path) -> None:
    run = fill(project.store, tmp_path / "logs", 4)
    told, root = details(project, run), project.store.root
    history = project.store.history / f"{run}.json"
    history.write_bytes(b"\xff\x00 no JSON")
    foreign = project.store.history / "20200101-000000-abcd.json"
    foreign.write_text("{", encoding="utf-8")
    manifest, other, *_ = project.store.manifests()
    manifest.write_bytes(b"\xff\xfe")
    other.unlink()
    other.mkdir()
    (root / "staging" / "half").mkdir(parents=True)
    (root / "staging" / "half" / "film").write_bytes(b"half")
    in_the_way = root / "objects" / "ab" / ("ab" * 32)
    (in_the_way / "deep").mkdir(parents=True)
    found = repair(project)
    assert found["histories"] == [str(history)]
    assert found["lost"] == [str(foreign)]
    assert found["unreadable"] == sorted([str(manifest), str(other)])
    assert found["damaged"] == [str(in_the_way)]
    assert found["results"] == 2
    assert not (root / "staging").exists()
    project.store.index.file.unlink()
    with project.store.open_for_writing("test"):
        assert details(project, run) == told, "the file of the run is whole again"


def damage_in_a_run(project: Project, content: bytes) -> None:
    """Damage the index while a run holds the store, and come upon it."""
    with project.store.open_for_writing("reel run"):
        project.store.index.file.write_bytes(content)
        with contextlib.closing(sqlite3.connect(project.store.index.file)) as database:
            database.execute("SELECT * FROM run_steps ORDER BY worker").fetchall()


def test_damage_that_a_run_comes_upon_in_its_middle_is_mended_by_the_next(project: Project, tmp_path: Path) -> None:
    fill(project.store, tmp_path / "logs", 20)
    expected, file = rows(project.store), project.store.index.file
    whole = file.read_bytes()
    with pytest.raises(ReelError) as caught:
        damage_in_a_run(project, whole[:_PAGE] + b"\xaa" * (len(whole) - _PAGE))
    assert caught.value.code == "results.damaged"
    with project.store.open_for_writing("reel run"):
        assert project.store.index.damage() is None
        assert rows(project.store) == expected
