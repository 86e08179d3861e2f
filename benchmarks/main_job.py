"""The whole subtitle recipe against the bare engine: processor time, whole processes, imports and loading included.

    .venvs/core/bin/python benchmarks/main_job.py [MEDIA] [--rounds 3]

The bare engine is faster-whisper in a ten-line script with the same weights, precision, beam and word times, and its
own voice detection. Everything must be installed already. The limit is on the ratio, because machines differ.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 2.5
BARE = """
import sys
from faster_whisper import WhisperModel
folder, media, threads = sys.argv[1:]
model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=int(threads), local_files_only=True)
segments, info = model.transcribe(media, beam_size=5, vad_filter=True, word_timestamps=True)
print("".join(segment.text for segment in segments))
"""


def main() -> int:
    """Measure, print, and exit with 1 when the limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("media", nargs="?", type=Path, default=ROOT / "samples" / "demo.mp4")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    media = arguments.media.resolve()
    bare, whole = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.rounds):
            bare.append(_bare(media))
            whole.append(_reel(media, Path(folder) / str(number)))
    ratio = min(whole) / min(bare)
    print(f"bare engine  {min(bare):6.2f} CPU-seconds (best of {arguments.rounds})")
    print(f"reel run     {min(whole):6.2f} CPU-seconds")
    print(f"ratio        {ratio:6.2f}   limit {LIMIT}")
    return int(ratio > LIMIT)


def _bare(media: Path) -> float:
    snapshots = ROOT / ".cache/huggingface/hub/models--Systran--faster-whisper-base/snapshots"
    model = next(iter(snapshots.iterdir()))
    threads = str(os.cpu_count() or 1)
    return _cpu_seconds([ROOT / ".venvs/lite/bin/python", "-c", BARE, model, media, threads], {})


def _reel(media: Path, folder: Path) -> float:
    places = {"REEL_RESULTS_DIR": str(folder / "results"), "REEL_OUTPUT_DIR": str(folder / "out")}
    return _cpu_seconds([ROOT / "reel", "run", media, "--profile", "starter", "--progress", "none"], places)


def _cpu_seconds(command: list[str | Path], variables: dict[str, str]) -> float:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(part) for part in command], env={**kept, **variables}, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
