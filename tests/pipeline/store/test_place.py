"""A result store touches nothing that is not its own, wherever it is put and whatever comes to lie in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.base.errors import UsageError
from pipeline.cli.commands import runs_upkeep
from pipeline.engine.project import Project
from pipeline.publishing.prune_results import SurveyOptions, survey
from pipeline.store.history import Runs
from pipeline.store.results import ResultStore
from tests.pipeline.store.test_index import fill


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["staging/x", "objects/ab/x.jpg", "manifests/x", "history/x.json", "runs/1/x.log"])
@pytest.mark.parametrize("marked", [False, True])
def test_a_folder_of_the_user_is_no_store(tmp_path: Path, name: str, marked: bool) -> None:
    for place in (name, "film.mp4", *(["index.sqlite"] if marked else [])):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(b"mine")
    before = tree(tmp_path)
    with pytest.raises(UsageError, match=name.partition("/")[0]), ResultStore(tmp_path).open_for_writing("test"):
        pass
    assert tree(tmp_path) == before


@pytest.mark.parametrize("lost", ["", "manifests", "history"])
def test_a_folder_with_other_files_and_a_copied_store_are_taken(tmp_path: Path, lost: str) -> None:
    """Results alone, and runs alone, tell that a store was copied without its marks."""
    (tmp_path / "film.mp4").write_bytes(b"mine")
    store = ResultStore(tmp_path)
    fill(store, tmp_path / "logs", 2)
    for mark in ("lock", "observed.json", "owner.json"):
        (tmp_path / mark).unlink(missing_ok=True)
    if lost:
        shutil.rmtree(tmp_path / lost)
    with ResultStore(tmp_path).open_for_writing("test"):
        pass
    assert (tmp_path / "film.mp4").read_bytes() == b"mine"


def test_what_systems_leave_in_a_store_is_passed_over(make_project: Callable[..., Project], tmp_path: Path) -> None:
    project = make_project(progress="none")
    fill(project.store, tmp_path / "logs", 3)
    folders = [*project.store.root.glob("objects/*"), *project.store.root.glob("manifests/*")]
    debris = [folder / name for folder in folders for name in (".DS_Store", "Thumbs.db", "._x.json", "junk.json")]
    debris += [project.store.root / name / ".DS_Store" for name in ("objects", "manifests", "history")]
    for place in debris:
        place.write_bytes(b"debris")
    (folders[0] / "@eaDir").mkdir()
    found = survey(project.store, 0.0, 0, options=SurveyOptions())
    assert not {path for one in found.surplus for path in one.paths} & {*debris}
    data = runs_upkeep.repair_store(project).data
    assert isinstance(data, dict)
    assert (data["damaged"], data["unreadable"]) == ([], [])
    assert all(place.exists() for place in debris)


def test_only_logs_of_runs_are_swept(tmp_path: Path) -> None:
    store, logs = ResultStore(tmp_path / "results"), tmp_path / "runs"
    with store.open_for_writing("test"):
        for number in range(60):
            (logs / f"20260101-0000{number:02}-abcd").mkdir(parents=True)
            (logs / f"experiment-{number}").mkdir()
        Runs(store, logs).sweep_logs()
    left = [path.name for path in logs.iterdir()]
    assert sum(name.startswith("experiment") for name in left) == 60
    assert len(left) < 120
