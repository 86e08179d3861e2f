"""Paths of a model's files below the cache. A model with a repository has the hub's own layout, in which libraries find
it by its name too.

    huggingface/hub/models--Org--name/blobs/<sha256>            the bytes
    huggingface/hub/models--Org--name/snapshots/<revision>/...  links to them, or copies where links cannot be made
    huggingface/hub/models--Org--name/refs/main                 the revision, so that calls without one work offline
    models/<name>/...                                           the same three folders for a model that is on no hub
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
        """Return the folder that a stage gets."""
        return self.root / "snapshots" / self.revision

    def blob(self, sha256: str) -> Path:
        """Return the path of the bytes with this digest."""
        return self.root / "blobs" / sha256

    def partial(self, sha256: str) -> Path:
        """Return the path of the part of those bytes that has been fetched."""
        return self.root / "blobs" / f"{sha256}.part"

    def link(self, name: str, sha256: str) -> None:
        """Make the blob the file `name` of the snapshot: by a symbolic link, by a hard link where symbolic ones need a
        special right (Windows), or by a copy if the disk has neither."""
        place, blob = self.snapshot / name, self.blob(sha256)
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = place.with_name(f".{place.name}.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        try:
            temporary.symlink_to(os.path.relpath(blob, place.parent))  # relative, so that the cache can be moved
        except OSError:
            if not try_link(blob, temporary):
                shutil.copyfile(blob, temporary)
        os.replace(temporary, place)
        temporary.unlink(missing_ok=True)  # the system does not replace a hard link by another one to the same bytes

    def write_reference(self) -> None:
        """Write that `main` is the revision, without a newline, as the hub's client does."""
        folder = self.root / "refs"
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "main", self.revision.encode())


def layout_of(cache: Path, name: str, locked: LockedModel) -> Layout:
    """Return the paths of the model `name`."""
    if locked.repo is None:
        return Layout(cache / "models" / name, locked.revision)
    hub = hub_folder(cache)
    return Layout(hub / f"models--{locked.repo.replace('/', '--')}", locked.revision)
