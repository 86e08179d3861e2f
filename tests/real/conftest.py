"""Real environments, real libraries, real weights: stages run as the product runs them, in warm workers."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import wave
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol
from unittest import mock

import pytest
from pydantic import JsonValue

from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.base.settings import load_settings
from pipeline.engine.language_models import language_in, with_model
from pipeline.engine.project import Project, open_project
from pipeline.engine.set_up import set_up
from pipeline.environments.ffmpeg import FFMPEG
from pipeline.plan.make_plan import single_step
from pipeline.plan.registry import stage_named
from pipeline.workers.dispatcher import StepJob
from pipeline.workers.local_host import local_dispatcher
from shared import protocol
from shared.stage import Fact
from tests.conftest import ROOT
from tests.fakes.served import serve_project
from tests.real.cases import Case, Material
from tests.real.witness import read_only, witness

__all__ = ("read_only", "witness")  # fixtures


@pytest.fixture(scope="session", autouse=True)
def starter_is_set_up(stage_environments: None) -> None:
    """Give every test of this folder the environments and models of the starter profile."""


StageInputs = Mapping[str, Path | tuple[Path, ...]]


@dataclass
class StageRun:
    """Results of a stage that ran."""

    folder: Path
    done: protocol.Done
    warnings: list[str]
    outputs: dict[str, Path | tuple[Path, ...] | None] = field(init=False)

    def __post_init__(self) -> None:
        self.outputs = {role: self._paths(names) for role, names in self.done.outputs.items()}

    @property
    def facts(self) -> dict[str, Fact]:
        return self.done.facts

    def file(self, role: str) -> Path:
        path = self.outputs[role]
        assert isinstance(path, Path), f"{role} is {path}"
        return path

    def files(self, role: str) -> tuple[Path, ...]:
        paths = self.outputs[role]
        assert isinstance(paths, tuple), f"{role} is {paths}"
        return paths

    def content(self) -> dict[str, bytes]:
        """Return every byte of every output, to compare two runs."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }

    def _paths(self, names: str | list[str] | None) -> Path | tuple[Path, ...] | None:
        if names is None:
            return None
        return self.folder / names if isinstance(names, str) else tuple(self.folder / name for name in names)


class Stages:
    """Runs single stages in workers of a set, each cold at first. `variables` are seen by the workers, beside those of
    this process; what sets a stage up before, an environment say, does not see them."""

    def __init__(self, project: Project, folder: Path, variables: Mapping[str, str] | None = None) -> None:
        self._project, self._folder, self._variables = project, folder, dict(variables or {})
        self._runner, self._closed = asyncio.Runner(), False
        self._dispatcher = local_dispatcher(project.installed, folder / "logs")
        self._count = itertools.count(1)
        self.limit_s = 900.0  # of a job
        self.instead: Mapping[Path, Path] = {}  # what a worker is given in the place of a file

    def __call__(
        self, name: str, inputs: StageInputs, params: Mapping[str, JsonValue] | None = None, backend: str | None = None
    ) -> StageRun:
        stage = stage_named(name)
        options = replace(self._project.planner.options(), targets=(), stages={name: dict(params or {})}, guide={})
        step = single_step(stage, options, {}, backend)
        if step.waits_for_language:
            spoken = language_in({role: str(path) for role, path in inputs.items()})
            step = with_model(step, spoken, self._project.installed.models, lambda event: None, name, offline=True)
        set_up([step], self._project.installed, lambda event: None)
        out_dir = self._folder / f"{next(self._count):03d}-{name}"
        out_dir.mkdir(parents=True)
        given: protocol.FileNames = {
            role: self._given(value) if isinstance(value, Path) else [self._given(path) for path in value]
            for role, value in inputs.items()
        }
        warnings: list[str] = []

        def hear(event: protocol.Remark) -> None:
            if isinstance(event, protocol.Notice):
                warnings.append(event.text)

        models = {role: self._project.installed.models.snapshot(model) for role, model in step.models.items()}
        with mock.patch.dict(os.environ, self._variables):
            done = self._runner.run(
                self._dispatcher.run(StepJob(step, given, out_dir, self.limit_s, models, on_event=hear))
            )
        return StageRun(out_dir, done, warnings)

    def _given(self, file: Path) -> str:
        return str(self.instead.get(file, file))

    def close(self) -> None:
        """End the workers; the set is not used again."""
        if not self._closed:
            self._closed = True
            self._runner.run(self._dispatcher.close())
            self._runner.close()


RunStage = Callable[..., StageRun]


@pytest.fixture(scope="session")
def real_project() -> Project:
    """Return the project itself, starter profile."""
    return open_project(load_settings(CONFIG / "defaults.toml", CODE_ROOT / "none.toml", {}, {"profile": "starter"})[0])


MakeStages = Callable[..., Stages]


@pytest.fixture(scope="session")
def make_stages(real_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeStages]:
    """Return `make_stages(project, variables)`, which makes a set of workers, each cold at first."""
    made: list[Stages] = []

    def make(project: Project = real_project, variables: Mapping[str, str] | None = None) -> Stages:
        made.append(Stages(project, tmp_path_factory.mktemp("stages"), variables))
        return made[-1]

    yield make
    for stages in made:
        stages.close()


@pytest.fixture(scope="session")
def run_stage(make_stages: MakeStages) -> Stages:
    """Run stages in workers that stay warm for the whole session."""
    return make_stages()


class ServeModels(Protocol):
    """Type of the fixture `serve_models`."""

    def __call__(self, models: Mapping[str, Path], **roles: Mapping[str, str]) -> Project: ...


@pytest.fixture(scope="session")
def serve_models(real_project: Project, tmp_path_factory: pytest.TempPathFactory) -> ServeModels:
    """Put models that a test has made into a cache of their own, as the product does it: served by a hub on the
    loopback, locked, fetched, verified. Gives the project that uses this cache; the hub is gone by then.

        project = serve_models({"nllb-600m": folder}, translate={"translator": "nllb-600m"})
        done = make_stages(project)("translate", inputs, {"target": "hi"}, "nllb")

    The names are those of `config/models.toml`, and what stands there holds: the repository, which files it takes, the
    terms. The keywords say by stage which model fills which role, in the place of what the profile says.
    """

    def serve(models: Mapping[str, Path], **roles: Mapping[str, str]) -> Project:
        return serve_project(real_project, tmp_path_factory.mktemp("served") / "cache", models, roles)

    return serve


@pytest.fixture(scope="session")
def ffmpeg(real_project: Project) -> Path:
    """Return the ffmpeg that stages get."""
    real_project.installed.tools.ensure(real_project.installed.tool, lambda event: None, offline=False)
    return real_project.installed.tools.folder(real_project.installed.tool) / FFMPEG


@pytest.fixture(scope="session")
def demo() -> Path:
    return ROOT / "samples" / "demo.mp4"


@pytest.fixture(scope="session")
def speech_clip(run_stage: Stages, demo: Path) -> Path:
    """Return the sample's speech: 16 kHz mono WAV."""
    return run_stage("demux", {"media": demo}).file("speech")


@pytest.fixture(scope="session")
def speech_regions(run_stage: Stages, speech_clip: Path) -> Path:
    return run_stage("vad", {"audio": speech_clip}).file("speech")


@pytest.fixture(scope="session")
def material(run_stage: Stages, demo: Path) -> Material:
    """Return what jobs are made from, out of the whole sample."""
    return Material(demo, run_stage)


@pytest.fixture(scope="session")
def two_media(ffmpeg: Path, run_stage: Stages, tmp_path_factory: pytest.TempPathFactory) -> tuple[Material, Material]:
    """Return two parts of the sample, of different length and with different first speakers."""
    folder = tmp_path_factory.mktemp("parts")

    def part(name: str, start: str, length: str) -> Material:
        media = folder / f"{name}.mp4"
        demo = ROOT / "samples" / "demo.mp4"
        call(ffmpeg, "-nostdin", "-loglevel", "error", "-ss", start, "-t", length, "-i", demo, media)
        return Material(media, run_stage)

    return part("one", "3", "9"), part("two", "14", "13")


CaseProject = Callable[[Case], Project]


@pytest.fixture(scope="session")
def case_project(
    real_project: Project, serve_models: ServeModels, tmp_path_factory: pytest.TempPathFactory
) -> CaseProject:
    """Return the project for a case: the project's own, or one with the case's tiny models, which are made once."""
    made: dict[Case, Project] = {}

    def give(case: Case) -> Project:
        if not case.tiny:
            return real_project
        if case not in made:
            real_project.installed.environments.ensure(case.declared.environment, lambda event: None)
            folders = {}
            for tiny in {tiny.name: tiny for tiny in case.tiny.values()}.values():
                folders[tiny.name] = tmp_path_factory.mktemp("tiny") / tiny.name
                folders[tiny.name].mkdir()
                tiny.make(real_project.installed.environments.python(case.declared.environment), folders[tiny.name])
            roles = {role: tiny.name for role, tiny in case.tiny.items()}
            made[case] = serve_models(folders, **{case.stage: roles})
        return made[case]

    return give


def write_wav(path: Path, samples: bytes, rate: int = 16000) -> Path:
    """Write 16-bit mono samples as a WAV file."""
    with wave.open(str(path), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(rate)
        target.writeframes(samples)
    return path


def make_environment(project: Project, folder: Path, *requirements: str) -> Path:
    """Return a virtual environment for one test, with packages that no environment of ours holds; gives its
    interpreter."""
    core, python = str(project.installed.environments.python("core")), folder / "bin" / "python"
    environment = {**os.environ, "UV_CACHE_DIR": str(project.folders.cache / "uv"), "UV_PYTHON_DOWNLOADS": "never"}
    for command in (
        [core, "-m", "uv", "venv", "--quiet", "--no-project", "--python", core, str(folder)],
        [core, "-m", "uv", "pip", "install", "--quiet", "--python", str(python), *requirements],
    ):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr
    return python


def call(*command: str | Path) -> None:
    """Run a program that makes test media; its own words are the failure."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
