"""Paths of a model's files below the cache: in the hub's own layout where the model has a repository, so that every
library that looks there by name finds them too.

    huggingface/hub/models--Org--name/blobs/<sha256>            the bytes
    huggingface/hub/models--Org--name/snapshots/<revision>/...  links to them, or the bytes where links cannot be made
    huggingface/hub/models--Org--name/refs/main                 the revision, so that calls without one work offline
    models/<name>/...                                           the same three folders for what is on no hub
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from pipeline.model_cache.manifest import LockedModel
from shared.environment_manager import hub_folder
from shared.files import try_link, write_atomically


@dataclass(frozen=True)
class Layout:
    """The folders of one model."""

    root: Path
    revision: str

    @property
    def snapshot(self) -> Path:
        """The folder a stage is given."""
        return self.root / "snapshots" / self.revision

    def blob(self, sha256: str) -> Path:
        """The bytes with this digest."""
        return self.root / "blobs" / sha256

    def partial(self, sha256: str) -> Path:
        """The beginning of those bytes, while they are fetched."""
        return self.root / "blobs" / f"{sha256}.part"

    def link(self, name: str, sha256: str) -> None:
        """Let the snapshot's file `name` be the blob: by a link, by a second name where links need a right that few
        have (Windows), and by a copy where the disk has neither."""
        place, blob = self.snapshot / name, self.blob(sha256)
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = place.with_name(f".{place.name}.{os.getpid()}")
        beside.unlink(missing_ok=True)
        try:
            beside.symlink_to(os.path.relpath(blob, place.parent))  # relative, so that the cache can be moved
        except OSError:
            if not try_link(blob, beside):
                shutil.copyfile(blob, beside)
        os.replace(beside, place)
        beside.unlink(missing_ok=True)  # of two names of the same bytes, the system keeps both

    def write_reference(self) -> None:
        """Name the revision `main`; without a newline, as the hub's client writes it."""
        folder = self.root / "refs"
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "main", self.revision.encode())


def layout_of(cache: Path, name: str, locked: LockedModel) -> Layout:
    """Return the paths of the model `name`."""
    if locked.repo is None:
        return Layout(cache / "models" / name, locked.revision)
    hub = hub_folder(cache)
    return Layout(hub / f"models--{locked.repo.replace('/', '--')}", locked.revision)
