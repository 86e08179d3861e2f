"""Real environments, real libraries, real weights: stages run as the product runs them, in warm workers."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import wave
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import JsonValue

from pipeline.admission import set_up
from pipeline.app import App, open_app
from pipeline.executors.local import local_dispatcher
from pipeline.plan import Choices, single_step
from pipeline.preview import StepPreview
from pipeline.project import CODE_ROOT, CONFIG
from pipeline.registry import stage_named
from pipeline.settings import load_settings
from pipeline.tools import FFMPEG
from shared import protocol
from shared.stage import Fact
from tests.conftest import ROOT

StageInputs = Mapping[str, Path | tuple[Path, ...]]


@dataclass
class StageRun:
    """What a stage left behind."""

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

    def content(self) -> dict[str, bytes]:
        """Every byte of every output, to compare two runs."""
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
    """Runs single stages in workers of a set; `Stages.fresh` gives a set of its own."""

    def __init__(self, app: App, folder: Path) -> None:
        self._app, self._folder = app, folder
        self._runner = asyncio.Runner()
        self._dispatcher = local_dispatcher(app, folder / "logs")
        self._count = itertools.count(1)

    def __call__(
        self, name: str, inputs: StageInputs, params: Mapping[str, JsonValue] | None = None, backend: str | None = None
    ) -> StageRun:
        stage = stage_named(name)
        choices = Choices(
            recipe_name="alone",
            profile_name=self._app.profile.name,
            profile=self._app.profile.profile,
            targets=(),
            stages={name: dict(params or {})},
        )
        step = single_step(stage, choices, {}, backend)
        set_up([StepPreview(step, "new", "")], self._app, lambda event: None)
        out_dir = self._folder / f"{next(self._count):03d}-{name}"
        out_dir.mkdir(parents=True)
        given: protocol.FileNames = {
            role: str(value) if isinstance(value, Path) else [str(path) for path in value]
            for role, value in inputs.items()
        }
        warnings: list[str] = []

        def hear(event: protocol.Progress | protocol.Notice) -> None:
            if isinstance(event, protocol.Notice):
                warnings.append(event.text)

        models = {role: self._app.models.snapshot(model) for role, model in step.models.items()}
        done = self._runner.run(self._dispatcher.run(step, models, given, out_dir, 900.0, lambda worker: None, hear))
        return StageRun(out_dir, done, warnings)

    def close(self) -> None:
        self._runner.run(self._dispatcher.close())
        self._runner.close()


RunStage = Callable[..., StageRun]


@pytest.fixture(scope="session")
def real_app() -> App:
    """The project itself, starter profile."""
    return open_app(load_settings(CONFIG / "defaults.toml", CODE_ROOT / "none.toml", {}, {"profile": "starter"})[0])


@pytest.fixture(scope="session")
def make_stages(real_app: App, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Stages]]:
    """Sets of workers, each cold at first."""
    made: list[Stages] = []

    def make() -> Stages:
        made.append(Stages(real_app, tmp_path_factory.mktemp("stages")))
        return made[-1]

    yield make
    for stages in made:
        stages.close()


@pytest.fixture(scope="session")
def run_stage(make_stages: Callable[[], Stages]) -> Stages:
    """Runs stages in workers that stay warm for the whole session."""
    return make_stages()


@pytest.fixture(scope="session")
def ffmpeg(real_app: App) -> Path:
    """The ffmpeg that stages get."""
    real_app.tools.ensure(real_app.tool, lambda event: None, offline=False)
    return real_app.tools.folder(real_app.tool) / FFMPEG


@pytest.fixture(scope="session")
def demo() -> Path:
    return ROOT / "samples" / "demo.mp4"


@pytest.fixture(scope="session")
def speech_clip(run_stage: Stages, demo: Path) -> Path:
    """The sample's speech: 16 kHz mono WAV."""
    return run_stage("demux", {"media": demo}).file("speech")


@pytest.fixture(scope="session")
def speech_regions(run_stage: Stages, speech_clip: Path) -> Path:
    return run_stage("vad", {"audio": speech_clip}).file("speech")


def write_wav(path: Path, samples: bytes, rate: int = 16000) -> Path:
    """16-bit mono samples as a WAV file."""
    with wave.open(str(path), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(rate)
        target.writeframes(samples)
    return path


def call(*command: str | Path) -> None:
    """Run a program that makes test media; its own words are the failure."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
