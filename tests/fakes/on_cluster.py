"""Runs steps of the fake stage on a cluster and tells what became of them; started in the environment with Ray.

python -m tests.fakes.on_cluster SPECIFICATION       a JSON list of objects, see `Wish`
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict, dataclass, field, replace

from pipeline.base import events
from pipeline.base.errors import ReelError
from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.base.settings import load_settings
from pipeline.engine.project import Project, open_project
from pipeline.engine.step_run import StepCallbacks, StepRunner, UserFiles, prepare_step
from pipeline.plan.model import Step
from pipeline.store.worker_stats import Measurements
from pipeline.workers.open_dispatcher import open_dispatcher
from shared.stage import DeviceKind, Resources
from tests.fakes import misbehave


@dataclass(frozen=True)
class Wish:
    """One step: what it does, and what its backend needs."""

    how: str
    value: int = 0
    path: str = ""
    precision: str = "full"
    labels: dict[str, float] = field(default_factory=dict)
    gpu_gib: float = 0.0
    limit_s: float = 60.0

    def step(self) -> Step:
        resources = Resources(
            time_base_s=self.limit_s, time_per_media_s=0.0, labels=self.labels, gpu_memory_gib=self.gpu_gib
        )
        backend = replace(misbehave.STAGE.backends["itself"], resources=resources)
        params = misbehave.MisbehaveParams(how=self.how, value=self.value, path=self.path, precision=self.precision)
        placed: DeviceKind = "cuda" if self.gpu_gib else "cpu"
        return Step("misbehave", misbehave.STAGE, "itself", backend, params, {}, {}, placed=placed)


async def work(project: Project, wishes: list[Wish]) -> dict[str, object]:
    """Run all of them at once; return the text of each, or the code of its error."""
    heard: list[events.Event] = []
    warnings: list[str] = []
    logs = project.folders.results / "runs" / "test"

    async def one(wish: Wish) -> dict[str, str]:
        callbacks = StepCallbacks(lambda what: None, lambda worker: None, lambda done: None, warnings.append)
        try:
            work = prepare_step(wish.step(), {"media": None}, project.key_context())
            runner = StepRunner(project.store, project.installed.models, dispatcher)
            result = await runner.run(work, [], UserFiles(1000), callbacks)
        except ReelError as error:
            return {"error": error.code, "message": error.message}
        file = result.outputs["text"]
        assert file is not None
        assert not isinstance(file, tuple)
        return {"text": project.store.path(file).read_text(encoding="utf-8")}

    with project.store.open_for_writing("a test"):
        async with open_dispatcher(
            project.installed, logs, Measurements(project.folders.results), heard.append
        ) as dispatcher:
            outcomes = await asyncio.gather(*(one(wish) for wish in wishes))
    told = [{"event": type(event).__name__, **asdict(event)} for event in heard]
    return {"outcomes": outcomes, "events": told, "warnings": warnings}


def main() -> None:
    """Print the outcomes as JSON."""
    project = open_project(load_settings(CONFIG / "defaults.toml", CODE_ROOT / "none.toml", os.environ, {})[0])
    wishes = [Wish(**wish) for wish in json.loads(sys.argv[1])]
    print(json.dumps(asyncio.run(work(project, wishes)), default=str))


if __name__ == "__main__":
    main()
