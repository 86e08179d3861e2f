"""Measures the overhead of reel on many files: stub stages do nothing, so all measured time is overhead.

    .venvs/core/bin/python benchmarks/dispatcher.py [--files 1000] [--planned 10000]

`plan` previews ten steps for each file; `step` is the wall time of a run divided by its steps, workers included;
`again` the same run when everything is done; `memory` how much more it holds than a run of 100 files. Every step takes
the media itself, since stubs write the same whatever they read, and steps behind them would be found done.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STEPS, FEW = 10, 100
LIMITS = {"plan": 1.0, "step": 5.0, "again": 2.0, "memory": 80.0}
UNITS = {"plan": "ms a file", "step": "ms a step", "again": "ms a file", "memory": "MB"}


@dataclass(frozen=True)
class Call:
    """One command: wall time and the most memory that the process itself held."""

    seconds: float
    memory_mb: float


def main() -> int:
    """Measure, print, and exit with 1 when a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--planned", type=int, default=10_000)
    arguments = parser.parse_args()
    files, planned = arguments.files, max(arguments.planned, arguments.files)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(planned):
            where = "few" if number < FEW else "more" if number < files else "planned"
            place = folder / where / f"film{number:05d}.mp4"
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(b"film %d" % number)
        recipe = folder / "ten.toml"
        recipe.write_text(
            "\n".join(['summary = "ten steps"', "publish = []", *map(step, range(STEPS))]), encoding="utf-8"
        )
        few, all_of_them = [folder / "few"], [folder / "few", folder / "more"]
        plan = call(["plan", *all_of_them, *folder.glob("planned")], folder, "none")
        little = call(["run", *few], folder, "few")
        run = call(["run", *all_of_them], folder, "all")
        again = call(["run", *all_of_them], folder, "all")
    found = {
        "plan": plan.seconds / planned * 1000,
        "step": run.seconds / files / STEPS * 1000,
        "again": again.seconds / files * 1000,
        "memory": run.memory_mb - little.memory_mb,
    }
    for what, value in found.items():
        print(f"{what:<8}{value:7.2f} {UNITS[what]:<10} limit {LIMITS[what]}")
    print(f"{planned} files planned in {plan.seconds:.1f} s")
    print(f"{files} files run in {run.seconds:.1f} s, again in {again.seconds:.1f} s")
    return int(any(value > LIMITS[what] for what, value in found.items()))


def step(number: int) -> str:
    """A step of the recipe with a key of its own."""
    params = f"params = {{ audio_track = {number} }}"
    return f'[steps.s{number}]\nstage = "demux"\ninputs = {{ media = "media" }}\n{params}'


def call(arguments: list[str | Path], folder: Path, results: str) -> Call:
    """Run the command line on stub stages."""
    places = {"REEL_RESULTS_DIR": str(folder / results), "REEL_OUTPUT_DIR": str(folder / f"out-{results}")}
    variables = {
        **os.environ,
        **places,
        "REEL_STUB": "true",
        "REEL_PROGRESS": "none",
        "REEL_RECIPE": str(folder / "ten.toml"),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-P", "-m", "pipeline", *map(str, arguments)]
    started = time.perf_counter()
    process = subprocess.Popen(command, env=variables, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{arguments[0]} ended with {process.returncode}"
    return Call(time.perf_counter() - started, used.ru_maxrss / 1000)


if __name__ == "__main__":
    sys.exit(main())
