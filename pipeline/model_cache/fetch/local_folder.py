"""Copy files from a folder of this machine, so that the cache is complete without that folder."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from pipeline.base.project import project_root
from pipeline.model_cache.fetch import FetchRequest, Meter, ReportOffset
from pipeline.model_cache.fetch.errors import FetchError, disk_error
from pipeline.model_cache.manifest import LocalFolderSource, LockedFile
from shared.copying import hash_stream


def fetch(source: LocalFolderSource, request: FetchRequest) -> None:
    """Copy every requested file. Raises `FetchError` for the first one that is missing or has other bytes."""
    folder, meter = project_root() / Path(source.path).expanduser(), Meter(request)
    for name, file in request.files.items():
        partial = request.layout.partial(file.sha256)
        with meter.file(name) as report:
            _copy(folder / name, partial, file, report)
        os.replace(partial, request.layout.blob(file.sha256))


def _copy(place: Path, partial: Path, file: LockedFile, report: ReportOffset) -> None:
    digest, copied = hashlib.sha256(), 0

    def count(size: int) -> None:
        nonlocal copied
        copied += size
        report(copied)

    if not place.is_file():
        raise FetchError("models.folder", f"{place} does not exist")
    try:
        with open(place, "rb", buffering=0) as source, open(partial, "wb") as target:
            hash_stream(source, digest, target, count)
            target.flush()
            os.fsync(target.fileno())
    except OSError as error:
        raise disk_error(error, partial.parent) from error
    if digest.hexdigest() != file.sha256:
        partial.unlink()
        raise FetchError("model.wrong-bytes", f"{place} has sha256 {digest.hexdigest()}, expected {file.sha256}")
