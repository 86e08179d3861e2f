"""Each backend at work once, seen from every side that tests ask about: a worker costs up to a minute of imports."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.engine.project import Project
from pipeline.model_cache.cache import ModelCache
from tests.fakes.leaks import detect_leaks
from tests.processes import children
from tests.real.cases import Case, Material
from tests.real.faults import WITNESSED, Failed, fail

if TYPE_CHECKING:
    from tests.real.conftest import CaseProject, MakeStages, StageRun

NOBODY = "http://127.0.0.1:9"  # the port of a service that no machine has
Digests = dict[str, str]
Mount = Callable[[Path], Path]


@dataclass(frozen=True)
class Witnessed:
    """A case on two media. `forward` and `backward` are of one warm worker, which then came to a bad end, `failed`.
    `elsewhere` is of the next one, cold and with the cache under another roof, where nobody can write. Both were
    listened to: whom they tried to reach, and which files the first left where models lie."""

    forward: list[Digests]
    backward: list[Digests]
    elsewhere: list[Digests]
    attempts: list[str]
    left_behind: set[Path]
    failed: Failed | None  # None where the stage looks at a file before it opens it


Witness = Callable[[Case], Witnessed]


@pytest.fixture(scope="session")
def witness(
    make_stages: MakeStages, case_project: CaseProject, two_media: tuple[Material, Material], read_only: Mount,
    tmp_path_factory: pytest.TempPathFactory,
) -> Witness:  # fmt: skip
    """Do a case's jobs, once."""
    seen: dict[Case, Witnessed] = {}
    one, two = two_media

    def watch(case: Case) -> Witnessed:
        if case in seen:
            return seen[case]
        project = case_project(case)
        for media in two_media:
            case.job(media)  # what a job is made from is made before anybody listens
        before, others = _files_of_libraries(project.folders.cache), children(os.getpid())
        with detect_leaks(case.allowed) as leaks:
            warm = make_stages(project, leaks.variables)
            forward = [_digests(case.run(warm, media)) for media in (one, two)]
            backward = [_digests(case.run(warm, media)) for media in (two, one)][::-1]
            fault, folder = WITNESSED.get(case), tmp_path_factory.mktemp("fails")
            failed = fail(case, fault, warm, one, others, folder) if fault else None
            warm.close()
            left_behind = _files_of_libraries(project.folders.cache) - before
            moved = _moved(project, read_only(project.folders.cache), tmp_path_factory.mktemp("results"))
            cold = make_stages(moved, leaks.variables)
            elsewhere = [_digests(case.run(cold, media)) for media in (two, one)][::-1]
            cold.close()  # here, so that nothing is told after the end either
        assert bool(leaks.passed) == bool(case.allowed), "a service was not asked, or not by way of the detector"
        seen[case] = Witnessed(forward, backward, elsewhere, leaks.attempts, left_behind, failed)
        return seen[case]

    return watch


@pytest.fixture(scope="session")
def read_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:
    """Move the models of a cache and mount them read-only; without the right to mount, close folders."""
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
        else:
            seen.rmdir()
            moved.rename(seen)
            folders = [Path(root) for root, _, _ in os.walk(seen)]  # a hard link shares its mode with the original
            undo.append(lambda: _set_mode(folders, 0o755))
            _set_mode(folders, 0o555)
        with pytest.raises(OSError, match=r"Read-only|denied"):
            (seen / "written").touch()
        return seen

    yield mount
    for action in undo:
        action()


def _moved(project: Project, cache: Path, results: Path) -> Project:
    folders = replace(project.folders, cache=cache, results=results)
    assert folders.scratch.is_relative_to(results)
    before = project.installed.models
    models = ModelCache(cache, before.models, before.locked, NOBODY)
    return replace(
        project,
        installed=replace(project.installed, folders=folders, models=models),
        planner=replace(project.planner, models=models),
    )


def _digests(run: StageRun) -> Digests:
    return {name: hashlib.sha256(content).hexdigest() for name, content in run.content().items()}


def _set_mode(folders: list[Path], mode: int) -> None:
    for folder in folders:
        folder.chmod(mode)


def _files_of_libraries(cache: Path) -> set[Path]:
    """Return every file where some library keeps models, and in what the stage sees as its home."""
    places = ("huggingface", "models", "torch", "nemo", "nltk_data", "tiktoken", "home")
    return {path for place in places for path in (cache / place).rglob("*") if path.is_file()}
