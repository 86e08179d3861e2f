"""The `whisperx` command line against reel's speech recognition: the same clips, weights and precision, on the CPU.

    .venvs/core/bin/python benchmarks/whisperx.py [--clips 1 3 10] [--alone]

Both decode with Whisper base in 8 bits and five hypotheses, on all cores, without alignment by a second model. whisperx
gets all clips in one call, so that it too loads once; with `--alone` also a call for each clip, as a script would do
it. reel runs `demux`, `vad` and `asr`, and gives words with times, which whisperx without alignment does not. Needs the
environments `speech` and those of the starter profile.

Throughput is clips by wall time, so that other programs on the machine should be few; processor time is printed too.
`first` is when the first transcript of the call is there as a file.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the project is not a package

from benchmarks.batch import cut, project_in
from pipeline.base.hardware import available_cores
from pipeline.base.project import CODE_ROOT
from shared.environment_manager import ChildPaths, child_environment

LEAST_RATIO, FROM_CLIPS = 1.5, 3
MODEL, LANGUAGE = "faster-whisper-base", "en"
RECIPE = f"""
summary = "what whisperx does without alignment"
steps.demux = {{ stage = "demux", inputs = {{ media = "media" }} }}
steps.vad = {{ stage = "vad", inputs = {{ audio = "demux.speech" }} }}
[steps.asr]
stage = "asr"
inputs = {{ audio = "demux.speech", speech = "vad.speech" }}
params = {{ language = "{LANGUAGE}" }}
[[publish]]
file = "asr.transcript"
as = "transcript.json"
"""


@dataclass(frozen=True)
class Call:
    """One command: processor time with its children, wall time, and when its first transcript was there."""

    cpu_s: float
    wall_s: float
    first_s: float


def main() -> int:
    """Measure, print, and exit with 1 when a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[1, 3, 10])
    parser.add_argument("--alone", action="store_true", help="whisperx in a call for each clip too")
    arguments = parser.parse_args()
    missed, alone_s = False, None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = cut(folder / "clips", max(arguments.clips))
        (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
        for count in sorted(arguments.clips):
            ours = reel(clips[:count], folder / f"reel{count}", folder / "recipe.toml")
            theirs = whisperx(clips[:count], folder / f"whisperx{count}")
            alone_s = ours.first_s if alone_s is None else alone_s
            ratio, of_cpu = theirs.wall_s / ours.wall_s, theirs.cpu_s / ours.cpu_s
            print(f"{count:3} clips   reel      {told(ours, count)}   {ratio:.2f} times the throughput")
            print(f"            whisperx  {told(theirs, count)}   {of_cpu:.2f} times the processor time")
            if arguments.alone:
                single = [whisperx([clip], folder / f"alone{count}-{clip.stem}") for clip in clips[:count]]
                print(f"            one each  {told(added(single), count)}")
            missed = missed or (count >= FROM_CLIPS and ratio < LEAST_RATIO)
        print(f"reel's first transcript of one clip alone: {alone_s:.1f} s")
    return int(missed)


def reel(clips: Sequence[Path], folder: Path, recipe: Path) -> Call:
    """One call of `reel run` for all clips."""
    folder.mkdir()
    places = {"REEL_RESULTS_DIR": str(folder / "results"), "REEL_OUTPUT_DIR": str(folder / "out")}
    words = [str(CODE_ROOT / "reel"), "run", *map(str, clips), "--recipe", str(recipe), "--profile", "starter"]
    return call(
        [*words, "--progress", "none"], {**os.environ, **places}, folder / "out", "*/transcript.json", len(clips)
    )


def whisperx(clips: Sequence[Path], folder: Path) -> Call:
    """One call of `whisperx` for all clips, in its environment as reel would inject it."""
    folder.mkdir()
    project = project_in(folder)
    programs = project.installed.environments.programs("speech")
    paths = ChildPaths(
        CODE_ROOT,
        project.folders.cache,
        (project.installed.tools.folder(project.installed.tool), programs),
        folder,
        folder,
    )
    cores = available_cores()
    words = [
        str(programs / "whisperx"),
        *map(str, clips),
        "--model",
        str(project.installed.models.snapshot(MODEL)),
        "--device",
        "cpu",
    ]
    words += ["--compute_type", "int8", "--no_align", "--threads", str(cores), "--language", LANGUAGE]
    words += ["--output_dir", str(folder / "out"), "--output_format", "json"]
    variables = child_environment(paths, os.environ, offline=True, threads=cores)
    return call(words, variables, folder / "out", "*.json", len(clips))


def call(words: Sequence[str], variables: Mapping[str, str], out: Path, pattern: str, count: int) -> Call:
    """Run the command, and look out for what it writes."""
    before, started, first = used_s(), time.perf_counter(), None
    with open(out.parent / "log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(words, env=variables, stdout=log, stderr=log)
        while process.poll() is None:
            if first is None and any(out.glob(pattern)):
                first = time.perf_counter() - started
            time.sleep(0.05)
    wall_s = time.perf_counter() - started
    written = len(list(out.glob(pattern)))
    assert process.returncode == 0, (out.parent / "log").read_text(encoding="utf-8")[-2000:]
    assert written == count, (
        f"{written} transcripts of {count}: {(out.parent / 'log').read_text(encoding='utf-8')[-2000:]}"
    )
    return Call(used_s() - before, wall_s, first or wall_s)


def used_s() -> float:
    """Processor time of the children so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def added(calls: Sequence[Call]) -> Call:
    """Calls one after the other."""
    return Call(sum(call.cpu_s for call in calls), sum(call.wall_s for call in calls), calls[0].first_s)


def told(call: Call, count: int) -> str:
    """The figures of a call in a line."""
    return f"{call.cpu_s / count:6.1f} CPU-s a clip   {call.wall_s:6.1f} s   first {call.first_s:5.1f} s"


if __name__ == "__main__":
    sys.exit(main())
