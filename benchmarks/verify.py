"""The deep check against the machine: its throughput, and that of bare sha256 on all cores over the same files.

    .venvs/core/bin/python -P benchmarks/verify.py [--megabytes 1000] [--files 8] [--rounds 9]

Both read files that lie in memory already, in turn, each round in the other order, so that the ratio tells what the
check itself costs and not how the disk was doing; it is the median of the rounds' own ratios. Run it with PYTHONPATH
at the checkout.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the project is not a package

from pipeline.base.hardware import available_cores
from pipeline.model_cache.layout import layout_of
from pipeline.model_cache.manifest import LockedFile, LockedModel
from pipeline.model_cache.upkeep.verify import check_models
from shared.files import sha256_of

LEAST_RATIO = 0.9


def main() -> int:
    """Measure, print, and exit with 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        locked = make(cache, options.megabytes * 1_000_000 // options.files, options.files)
        raw: list[float] = []
        check: list[float] = []
        for number in range(options.rounds):
            turns = [(bare, raw), (checked, check)]
            for measure, times in turns if number % 2 else turns[::-1]:
                times.append(measure(cache, locked))
    size = sum(model.size for model in locked.values()) / 1e6
    ratio = statistics.median(raw_s / other for raw_s, other in zip(raw, check, strict=True))
    print(f"{'bare sha256':<14}{size / min(raw):7.0f} MB/s on {available_cores()} cores")
    print(f"{'deep check':<14}{size / min(check):7.0f} MB/s")
    print(f"{'ratio':<14}{ratio:7.2f}   limit {LEAST_RATIO}")
    return int(ratio < LEAST_RATIO)


def make(cache: Path, size: int, count: int) -> dict[str, LockedModel]:
    """A model of `count` files of different sizes, `size` on the average, in place."""
    layout = layout_of(cache, "big", LockedModel(revision="1", files={}))
    (layout.root / "blobs").mkdir(parents=True)
    files = {}
    for number in range(count):
        own_size = size // 2 + size * number // max(count - 1, 1)
        beginning = layout.root / "blobs" / "new"
        with open(beginning, "wb") as stream:
            block = os.urandom(1 << 20)
            for start in range(0, own_size, len(block)):
                stream.write(block[: own_size - start])
        sha256 = sha256_of(beginning)
        beginning.rename(layout.blob(sha256))
        layout.link(f"{number}.bin", sha256)
        files[f"{number}.bin"] = LockedFile(size=own_size, sha256=sha256)
    return {"big": LockedModel(revision="1", files=files)}


def bare(cache: Path, locked: dict[str, LockedModel]) -> float:
    """Seconds of sha256 alone, by the standard library's own reader, the largest files first."""
    layout = layout_of(cache, "big", locked["big"])
    largest = sorted(locked["big"].files, key=lambda file: -locked["big"].files[file].size)

    def digest(file: str) -> bytes:
        with open(layout.snapshot / file, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()

    started = time.perf_counter()
    with ThreadPoolExecutor(available_cores()) as pool:
        list(pool.map(digest, largest))
    return time.perf_counter() - started


def checked(cache: Path, locked: dict[str, LockedModel]) -> float:
    """Seconds of the deep check, which must find nothing."""
    started = time.perf_counter()
    found = check_models(locked, cache, locked, lambda event: None)
    assert found == {"big": []}, found
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
