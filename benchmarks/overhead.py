"""Measures the overhead of the orchestrator: the wall time of whole processes, the best of several.

    .venvs/core/bin/python benchmarks/overhead.py [--rounds 5]

`help` is the start of the command line; `again` a run of which everything is reused; `step` the time of a plan of
twelve stub steps less the time of a plan of one, divided by eleven: what a step costs beyond its own work.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMITS_S = {"help": 0.2, "again": 0.5, "step": 0.06}
STEPS = 12


def main() -> int:
    """Measure, print a table, and exit with 1 when a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), rounds)
    for name, seconds in found.items():
        print(f"{name:<8}{seconds * 1000:7.0f} ms   limit {LIMITS_S[name] * 1000:.0f} ms")
    return int(any(seconds > LIMITS_S[name] for name, seconds in found.items()))


def measure(folder: Path, rounds: int) -> dict[str, float]:
    """Seconds by name: the best of `rounds`, since other programs can only add to them."""
    chains = {length: _write_chain(folder / f"chain{length}.toml", length) for length in (1, STEPS)}
    media = str(ROOT / "samples" / "demo.mp4")

    def run(recipe: Path, results: str) -> float:
        return _timed(["run", media, "--stub", "--recipe", str(recipe), "--progress", "none"], folder, results)

    helps, agains, shorts, longs = [], [], [], []
    for number in range(rounds):
        helps.append(_timed(["--help"], folder, "none"))
        shorts.append(run(chains[1], f"short{number}"))
        longs.append(run(chains[STEPS], f"long{number}"))
        agains.append(run(chains[STEPS], f"long{number}"))
    return {"help": min(helps), "again": min(agains), "step": (min(longs) - min(shorts)) / (STEPS - 1)}


def _write_chain(path: Path, length: int) -> Path:
    """A recipe of `length` steps, each of which waits for the one before it."""
    lines = ['summary = "a chain"', "publish = []"]
    lines += ["[steps.s0]", 'stage = "demux"', 'inputs = { media = "media" }']
    stages = [("vad", "audio", "speech"), ("demux", "media", "media")]
    source = "s0.speech"
    for number in range(1, length):
        stage, role, output = stages[(number - 1) % 2]
        lines += [f"[steps.s{number}]", f'stage = "{stage}"', f'inputs = {{ {role} = "{source}" }}']
        source = f"s{number}.{output}"
        if stage == "vad":
            # Stubs give the same bytes for any parameters, so each step gets its own to have a key of its own.
            lines.append(f"params = {{ min_silence_duration_ms = {100 + number} }}")
        else:
            lines.append(f"params = {{ audio_track = {number} }}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _timed(arguments: list[str], folder: Path, results: str) -> float:
    environment = {**os.environ, "REEL_RESULTS_DIR": str(folder / results), "REEL_OUTPUT_DIR": str(folder / "out")}
    started = time.perf_counter()
    subprocess.run([str(ROOT / "reel"), *arguments], env=environment, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
