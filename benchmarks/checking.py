"""Measure the cost of comparing what is read and published with its digest.

    .venvs/core/bin/python benchmarks/checking.py [--files 1000] [--rounds 3] [--stub]

`main` is the main job for samples/demo.mp4 with the starter profile, and the part of its wall time that checks took;
`changed` the same with another beam size, where what the due steps read has to be compared first; `again`
a run of many stub files of which everything is published; `hour` the time to compare the sound of an hour of film.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # started by its path, from anywhere

from pipeline.base.project import CONFIG  # noqa: E402
from pipeline.base.settings import load_settings  # noqa: E402
from pipeline.engine.batch import run_batch  # noqa: E402
from pipeline.engine.item import ItemTracker  # noqa: E402
from pipeline.engine.media_list import Request  # noqa: E402
from pipeline.engine.project import Project, open_project  # noqa: E402
from pipeline.store.media_file import MediaFile  # noqa: E402
from shared.files import is_intact, sha256_of  # noqa: E402

LIMITS = {"main": 2.0, "changed": 10.0, "again": 2.0}  # percent of the wall time
_SOUND_BYTES = 16_000 * 2 * 3600


class Checks:
    """The seconds that checks have taken, in whatever thread. Any: it wraps methods of any type."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._wrap(MediaFile, "prove")
        self._wrap(ItemTracker, "find_damaged")

    def _wrap(self, owner: type, name: str) -> None:
        inner: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any) -> Any:
            started = time.perf_counter()
            try:
                return inner(*arguments)
            finally:
                self.seconds += time.perf_counter() - started

        setattr(owner, name, timed)


def main() -> int:
    """Measure, print a table, and exit with 1 when a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stub", action="store_true", help="stub stages for the main job too")
    arguments = parser.parse_args()
    checks, shares = Checks(), dict[str, float]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        demo = [Request(ROOT / "samples" / "demo.mp4")]
        for part, changes in (("main", {}), ("changed", {"stages": {"asr": {"beam_size": 3}}})):
            project = project_in(folder / "main", stub=arguments.stub, profile="starter", **changes)
            shares[part] = timed(part, checks, project, demo)
        files = [folder / f"film{number:05d}.mp4" for number in range(arguments.files)]
        for number, file in enumerate(files):
            file.write_bytes(b"film %d" % number)
        project = project_in(folder / "many", stub=True, recipe="transcribe")
        run_batch([Request(file) for file in files], project, lambda event: None)
        again = [timed("again", checks, project, [Request(file) for file in files]) for _ in range(arguments.rounds)]
        shares["again"] = min(again)
        print(f"hour     {min(_hour(folder) for _ in range(arguments.rounds)):8.2f} s to compare its sound")
    return int(any(share > LIMITS[part] for part, share in shares.items()))


def project_in(folder: Path, **settings: Any) -> Project:
    """A project with a store and an output folder of its own. Any: settings are of many types."""
    places = {"results_dir": str(folder / "results"), "output_dir": str(folder / "out")}
    return open_project(
        load_settings(CONFIG / "defaults.toml", ROOT / "reel.toml", os.environ, {**places, **settings})[0]
    )


def timed(part: str, checks: Checks, project: Project, requests: list[Request]) -> float:
    """Run, print, and return the percentage of the wall time that checks took."""
    before, started = checks.seconds, time.perf_counter()
    result = run_batch(requests, project, lambda event: None)
    seconds, checking = time.perf_counter() - started, checks.seconds - before
    assert not result.failed, result.failed[0].error
    share = checking / seconds * 100
    steps = sum(item.steps_run for item in result.items)
    print(f"{part:<8} {seconds:8.2f} s, {steps} steps, {checking * 1000:.1f} ms of checks: {share:.2f} %", flush=True)
    return share


def _hour(folder: Path) -> float:
    sound = folder / "sound"
    if not sound.exists():
        sound.write_bytes(bytes(_SOUND_BYTES))
    digest, started = sha256_of(sound), time.perf_counter()
    assert is_intact(sound, digest)
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
