"""A batch of short clips in warm workers, against a fresh process for each stage and file, and against its own bound.

    .venvs/core/bin/python benchmarks/batch.py [--clips 20] [--cold 3]

The clips are cut from the sample and go through the subtitle recipe with the starter profile; everything must be
installed already. `cold` is the processor time of the same stages with every worker ended after one job. Starting,
importing and loading are what warm workers save; the work itself (here mostly Whisper) is the same. The bound of the
wall time is the larger of two: all processor time divided by the cores, and the time of the busiest worker.
Limits are on ratios, because machines differ. On a machine that does other work too, `foreign` says how much.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the project is not a package

from pipeline.base.hardware import available_cores
from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.base.settings import load_settings
from pipeline.engine.admission import Admission
from pipeline.engine.item import ItemTracker, Run
from pipeline.engine.item_run import ItemRunner, RunContext
from pipeline.engine.media_list import Request
from pipeline.engine.project import Project, open_project
from pipeline.engine.set_up import set_up
from pipeline.engine.step_run import StepRunner
from pipeline.environments.ffmpeg import FFMPEG
from pipeline.publishing.batch_media import BatchMedia
from pipeline.store.worker_stats import Measurements
from pipeline.workers.dispatcher import Dispatcher
from pipeline.workers.local_host import LocalHost

LEAST_RATIO, MOST_OF_BOUND = 5.0, 1.10


class ColdDispatcher(Dispatcher):
    """Ends every worker after its first job, and starts none ahead."""

    def _has_outgrown(self, worker: object) -> bool:
        return True

    def expect(self, *arguments: object) -> None:
        """Nothing is prepared."""


def main() -> int:
    """Measure, print, and exit with 1 when a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--cold", type=int, default=3, help="how many of them for the cold processes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = cut(folder / "clips", arguments.clips)
        cold_s, cold_work_s = (seconds / arguments.cold for seconds in cold(clips[: arguments.cold], folder / "cold"))
        found = warm(clips, folder / "warm")
    own_s, work_s = found.own_s / len(clips), found.work_s / len(clips)
    bound_s = max(found.own_s / available_cores(), found.busiest_s)
    ratio, of_bound = (cold_s - cold_work_s) / (own_s - work_s), found.wall_s / bound_s
    print(
        f"cold processes   {cold_s:7.2f} CPU-seconds a clip, {cold_s - cold_work_s:.2f} of them beside the work itself"
    )
    print(f"warm workers     {own_s:7.2f} CPU-seconds a clip, {own_s - work_s:.2f} of them beside the work itself")
    print(f"beside the work  {ratio:7.2f} times less   limit {LEAST_RATIO}")
    print(f"all of it        {cold_s / own_s:7.2f} times less")
    print(f"wall             {found.wall_s:7.2f} s, while others took {found.foreign_s:.1f} CPU-seconds")
    print(f"bound            {bound_s:7.2f} s, on {available_cores()} cores")
    print(f"wall / bound     {of_bound:7.2f}   limit {MOST_OF_BOUND}")
    print(f"models loaded    {', '.join(f'{stage} {count}x' for stage, count in sorted(found.loads.items()))}")
    return int(ratio < LEAST_RATIO or of_bound > MOST_OF_BOUND or max(found.loads.values()) > 1)


def project_in(folder: Path) -> Project:
    """The checkout with results of its own."""
    flags: dict[str, JsonValue] = {
        "results_dir": str(folder / "results"), "output_dir": str(folder / "out"), "profile": "starter"
    }  # fmt: skip
    return open_project(load_settings(CONFIG / "defaults.toml", CODE_ROOT / "none.toml", {}, flags)[0])


def cut(folder: Path, count: int) -> list[Path]:
    """Clips of 8 to 14 s, each another part of the sample."""
    folder.mkdir()
    project = project_in(folder)
    ffmpeg = project.installed.tools.folder(project.installed.tool) / FFMPEG
    clips = []
    for number in range(count):
        clips.append(folder / f"clip{number:02d}.mp4")
        start, length = str(number * 41 / count), str(8 + number % 4 * 2)
        subprocess.run(
            [ffmpeg, "-nostdin", "-loglevel", "error", "-ss", start, "-t", length, "-i",
             CODE_ROOT / "samples" / "demo.mp4", clips[-1]], check=True,
        )  # fmt: skip
    return clips


def cold(clips: list[Path], folder: Path) -> tuple[float, float]:
    """Processor time of workers that do one job each, one clip after the other, and how much of it was work."""
    folder.mkdir()
    project = project_in(folder)

    work_s = 0.0

    async def work() -> None:
        nonlocal work_s
        host = LocalHost(project.installed, folder / "logs")
        async with ColdDispatcher(host, project.settings, Measurements(folder), lambda event: None) as dispatcher:
            records, output = project.records(), project.folders.output
            admission = Admission(project.planner, records, project.key_context(), output, BatchMedia())
            run = Run(records.history.start("subtitle", "starter"), records, lambda event: None)
            steps = StepRunner(project.store, project.installed.models, dispatcher)
            context = RunContext(project.installed, steps, admission.key_context)
            for clip in clips:
                media = project.store.media(clip)
                item = admission.item(Request(clip), media.digest)
                previews = admission.preview(item)
                set_up([preview.step for preview in previews if preview.is_due], project.installed, lambda event: None)
                tracker = ItemTracker(item, run, media)
                await ItemRunner(tracker, context).complete(previews)
                assert tracker.error is None, tracker.error
                work_s += sum(result.cpu_s for result in {one.key: one for one in tracker.results.values()}.values())

    before = _children_s()
    with project.store.open_for_writing("a benchmark"):
        asyncio.run(work())
    return _children_s() - before, work_s


@dataclass(frozen=True)
class Warm:
    """Cost of a whole run: processor time of all of reel and of the stages' work alone, and the busiest worker."""

    wall_s: float
    own_s: float
    work_s: float
    foreign_s: float
    busiest_s: float
    loads: Counter[str]


def warm(clips: list[Path], folder: Path) -> Warm:
    """One call of `reel run` for all clips."""
    folder.mkdir()
    places = {"REEL_RESULTS_DIR": str(folder / "results"), "REEL_OUTPUT_DIR": str(folder / "out")}
    command = [str(CODE_ROOT / "reel"), "run", *map(str, clips), "--profile", "starter", "--progress", "none", "--json"]
    before, machine, started = _children_s(), _machine_s(), time.perf_counter()
    done = subprocess.run(
        command, env={**os.environ, **places}, check=True, capture_output=True, encoding="utf-8", errors="replace"
    )
    wall_s, own_s = time.perf_counter() - started, _children_s() - before
    foreign_s = max(_machine_s() - machine - own_s, 0.0)
    assert json.loads(done.stdout)["data"]["counts"] == {"done": len(clips)}, done.stdout
    project = project_in(folder)
    history = project.records().history
    details = history.details(history.all()[0].id)
    work_s, busy = 0.0, dict.fromkeys((worker.worker for worker in details.workers), 0.0)
    for step in details.steps:
        if step.state == "done" and step.worker and step.key and (result := project.store.lookup(step.key)):
            work_s += result.cpu_s
            busy[step.worker] += result.seconds
    loads = Counter(load.stage for load in details.loads if load.models)
    return Warm(wall_s, own_s, work_s, foreign_s, max(busy.values()), loads)


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _machine_s() -> float:
    """Processor time of everything on this machine."""
    fields = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()[1:]
    user, nice, system = (int(field) for field in fields[:3])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
