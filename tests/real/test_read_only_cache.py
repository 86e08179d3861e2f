"""A whole cache under another roof, mounted so that nobody can write to it, serves every stage."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.app import App
from pipeline.model_cache.cache import ModelCache
from tests.conftest import Reel
from tests.real.cases import HERE, Case, Material
from tests.real.conftest import CaseApp, MakeStages

NOBODY = "http://127.0.0.1:9"  # the port of a service that no machine has
Mount = Callable[[Path], Path]


@pytest.fixture(scope="module")
def read_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:
    """Moves the models of a cache and mounts them read-only; without the right to mount, closes folders."""
    undo: list[Callable[[], object]] = []

    def mount(cache: Path) -> Path:
        folder = tmp_path_factory.mktemp("elsewhere")
        moved, seen = folder / "moved", folder / "a cache"
        for name in ("huggingface", "models"):
            if (cache / name).exists():
                shutil.copytree(cache / name, moved / name, symlinks=True, copy_function=os.link)
        seen.mkdir()
        bind = ["mount", "--bind", str(moved), str(seen)]
        if os.geteuid() == 0 and subprocess.run(bind, capture_output=True).returncode == 0:
            undo.append(lambda: subprocess.run(["umount", str(seen)], check=True))
            subprocess.run(["mount", "-o", "remount,bind,ro", str(seen)], check=True)
            return seen
        folders = [Path(root) for root, _, _ in os.walk(moved)]  # a hard link shares its mode with the original
        undo.append(lambda: _set_mode(folders, 0o755))
        _set_mode(folders, 0o555)
        return moved

    yield mount
    for action in undo:
        action()


def _set_mode(folders: list[Path], mode: int) -> None:
    for folder in folders:
        folder.chmod(mode)


@pytest.fixture(scope="module")
def moved_app(read_only: Mount, case_app: CaseApp, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Case], App]:
    mounts: dict[Path, Path] = {}

    def give(case: Case) -> App:
        app = case_app(case)
        if app.project.cache not in mounts:
            mounts[app.project.cache] = read_only(app.project.cache)
        cache = mounts[app.project.cache]
        project = replace(app.project, cache=cache, results=tmp_path_factory.mktemp("results"))
        return replace(app, project=project, models=ModelCache(cache, app.models.models, app.models.locked, NOBODY))

    return give


@pytest.mark.parametrize("case", HERE, ids=str)
def test_every_stage_works_from_a_moved_cache_that_can_only_be_read(
    case: Case, moved_app: Callable[[Case], App], make_stages: MakeStages, material: Material
) -> None:
    case.job(material)  # made in the project's own cache, which must be full before it is moved
    app = moved_app(case)
    with pytest.raises(OSError, match=r"Read-only|denied"):
        (app.project.cache / "written").touch()
    stages = make_stages(app)
    assert case.run(stages, material).content()
    stages.close()
    assert app.project.scratch.is_relative_to(app.project.results)


def test_the_main_job_runs_from_a_cache_that_can_only_be_read(
    read_only: Mount, real_app: App, material: Material, reel: Reel
) -> None:
    assert material.subtitles
    real_app.environments.ensure("bergamot", lambda event: None)
    cache = read_only(real_app.project.cache)
    own = {"REEL_CACHE_DIR": str(cache), "REEL_PROFILE": "starter", "REEL_OFFLINE": "true"}
    reel("run", material.media, "--to", "pt", extra=own)
    assert list(reel.out.rglob("*.pt.srt"))
    assert "verified" in reel("models", "verify", "--profile", "starter", extra=own).stdout
