"""Files that lie on this machine already, under their own names: copied, so that the cache is whole by itself."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from pipeline.base.project import project_root
from pipeline.model_cache.fetch import Meter, Moved, Want
from pipeline.model_cache.fetch.errors import disk_refusal, refusal
from pipeline.model_cache.manifest import LocalFolderSource, LockedFile
from shared.copying import hash_stream


def fetch(source: LocalFolderSource, want: Want) -> None:
    """Copy every wanted file; raises `SourceFailed` for the first that is not there or has other bytes."""
    folder, meter = project_root() / Path(source.path).expanduser(), Meter(want)
    for name, file in want.files.items():
        partial = want.layout.partial(file.sha256)
        with meter.file(name) as moved:
            _copy(folder / name, partial, file, moved)
        os.replace(partial, want.layout.blob(file.sha256))


def _copy(place: Path, partial: Path, file: LockedFile, moved: Moved) -> None:
    digest, copied = hashlib.sha256(), 0

    def told(size: int) -> None:
        nonlocal copied
        copied += size
        moved(copied)

    if not place.is_file():
        raise refusal("models.folder", f"{place} is not there")
    try:
        with open(place, "rb", buffering=0) as source, open(partial, "wb") as target:
            hash_stream(source, digest, target, told)
            target.flush()
            os.fsync(target.fileno())
    except OSError as error:
        raise disk_refusal(error, partial.parent) from error
    if digest.hexdigest() != file.sha256:
        partial.unlink()
        raise refusal("model.wrong-bytes", f"{place} has sha256 {digest.hexdigest()}, expected {file.sha256}")
