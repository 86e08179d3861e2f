"""Measures the extra cost of a step on a cluster: stub steps, one after the other, there and on this machine alone.

    .venvs/cluster/bin/python benchmarks/cluster.py ADDRESS [--steps 200]

Runs on a machine of a cluster that `reel cluster up` has started. The steps do nothing, so that all that is measured
is what carries them. `first` is the time to the first step's end, connection and worker included.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the project is not a package

from pydantic import JsonValue

from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.base.settings import load_settings
from pipeline.engine.project import Project, open_project
from pipeline.plan.make_plan import single_step
from pipeline.plan.options import PlanOptions
from pipeline.plan.registry import stage_named
from pipeline.store.worker_stats import Measurements
from pipeline.workers.dispatcher import StepJob
from pipeline.workers.open_dispatcher import open_dispatcher
from pipeline.workers.ray.cluster import ray_variables


def measure(cluster: str, steps: int) -> tuple[float, float]:
    """Seconds to the first step's end, and the median of the others; an empty `cluster` is this machine alone."""
    with tempfile.TemporaryDirectory(dir=CODE_ROOT / ".cache") as scratch:
        flags: dict[str, JsonValue] = {"cluster": cluster, "stub": True, "results_dir": scratch, "profile": "starter"}
        project = open_project(load_settings(CONFIG / "defaults.toml", CODE_ROOT / "none.toml", {}, flags)[0])
        os.environ.update(ray_variables(project.folders))
        return asyncio.run(_measure(project, Path(scratch), steps))


async def _measure(project: Project, folder: Path, steps: int) -> tuple[float, float]:
    options = PlanOptions(
        recipe_name="alone",
        profile_name=project.planner.profile.name,
        profile=project.planner.profile.profile,
        targets=(),
        stages={},
        stub=True,
    )
    step = single_step(stage_named("vad"), options, {}, None)
    audio = folder / "audio.wav"
    audio.write_bytes(b"nothing")
    took = []
    began = time.perf_counter()
    async with open_dispatcher(
        project.installed, folder / "logs", Measurements(folder), lambda event: None
    ) as dispatcher:
        for number in range(steps + 1):
            out_dir = folder / f"{number}"
            out_dir.mkdir()
            await dispatcher.run(StepJob(step, {"audio": str(audio)}, out_dir, 60.0))
            took.append(time.perf_counter() - began)
            began = time.perf_counter()
    return took[0], median(took[1:])


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()
    for name, cluster in (("alone", ""), ("cluster", arguments.address)):
        first, step = measure(cluster, arguments.steps)
        print(f"{name}: first {first:.2f} s, then {step * 1000:.1f} ms a step")


if __name__ == "__main__":
    main()
