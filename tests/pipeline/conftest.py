"""A project in a temporary folder, and single steps of the fake stage run in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest
from pydantic import JsonValue

from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.base.settings import load_settings
from pipeline.engine.project import Project, open_project
from pipeline.engine.step_run import StepCallbacks, StepRunner, UserFiles, prepare_step
from pipeline.plan.model import Step
from pipeline.plan.oom_fallback import steps_to_try
from pipeline.store.results import StoredResult
from pipeline.workers.local_host import local_dispatcher
from shared.stage import Resources
from tests.fakes import misbehave


@dataclass
class Bench:
    """Runs steps of the fake stage one after another in one dispatcher, as a run does."""

    project: Project
    logs: Path
    warnings: list[str] = field(default_factory=list)
    progress: list[float] = field(default_factory=list)
    fallbacks: Mapping[str, str] = field(default_factory=dict)  # that the last run recorded

    def step(self, how: str, value: int = 0, path: str = "", limit_s: float = 60.0) -> Step:
        backend = replace(
            misbehave.STAGE.backends["itself"], resources=Resources(time_base_s=limit_s, time_per_media_s=0.0)
        )
        params = misbehave.MisbehaveParams(how=how, value=value, path=path)
        return Step("misbehave", misbehave.STAGE, "itself", backend, params, {}, {})

    def run(self, *steps: Step) -> list[StoredResult | BaseException]:
        """Return the result of each step, or what it raised, in order, all in one dispatcher."""
        return asyncio.run(self._run(steps))

    async def _run(self, steps: tuple[Step, ...]) -> list[StoredResult | BaseException]:
        project = self.project
        outcomes: list[StoredResult | BaseException] = []
        callbacks = StepCallbacks(lambda what: None, lambda worker: None, self.progress.append, self.warnings.append)
        with project.store.open_for_writing("a test"):
            async with local_dispatcher(project.installed, self.logs) as dispatcher:
                for step in steps:
                    key_context = replace(project.key_context(), fallbacks=dispatcher.measurements.fallbacks)
                    first, *below = steps_to_try(step, key_context.fallbacks)
                    work = prepare_step(first, {"media": None}, key_context)
                    runner = StepRunner(project.store, project.installed.models, dispatcher)
                    ran = runner.run(work, below, UserFiles(1000), callbacks)
                    outcomes += await asyncio.gather(ran, return_exceptions=True)
                self.fallbacks = dict(dispatcher.measurements.fallbacks)
        return outcomes

    def log(self) -> str:
        return "".join(path.read_text(errors="replace", encoding="utf-8") for path in sorted(self.logs.glob("*.log")))


def project_in(folder: Path, environments: Path | None, **settings: JsonValue) -> Project:
    """Return a project with its results, cache and output below `folder`."""
    flags: dict[str, JsonValue] = {
        "results_dir": str(folder / "results"),
        "cache_dir": str(folder / "cache"),
        "output_dir": str(folder / "out"),
        **({"environments_dir": str(environments)} if environments else {}),
        **settings,
    }
    return open_project(load_settings(CONFIG / "defaults.toml", CODE_ROOT / "none.toml", {}, flags)[0])


@pytest.fixture
def make_project(tmp_path: Path, environments: Path | None) -> Callable[..., Project]:
    """Return a project over temporary folders; keyword arguments are settings."""
    return partial(project_in, tmp_path, environments)


@pytest.fixture
def bench(make_project: Callable[..., Project], tmp_path: Path) -> Bench:
    return Bench(make_project(), tmp_path / "logs")
