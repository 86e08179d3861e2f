"""Exchange the files of a job through a shared folder, for machines without a common result store.

Each job has a subfolder for as long as it runs, so that the folder holds only files in use. If the folder is on the
disk of the results, stored contents are linked into it, otherwise copied. A user's file is always copied: a link would
set the file's change time, by which reel notices that a file was replaced.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from shared import protocol
from shared.copying import copy_verified
from shared.files import try_link

_CONTENT = re.compile("[0-9a-f]{64}")  # the name of a content in the store


@dataclass(frozen=True)
class StagedJob:
    """The subfolder of a job. `request` holds the paths that the other machine sees."""

    folder: Path
    request: protocol.Run
    out_dir: Path

    def bring_back(self) -> None:
        """Move the outputs to the folder that the original request names."""
        for path in sorted(Path(self.request.out_dir).rglob("*")):
            place = self.out_dir / path.relative_to(self.request.out_dir)
            if path.is_dir() and not path.is_symlink():
                place.mkdir(exist_ok=True)
            else:
                shutil.move(path, place)

    def remove(self) -> None:
        """Delete the job's folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def stage_job(request: protocol.Run, folder: Path) -> StagedJob:
    """Create `folder` with the inputs of the job, each in a subfolder of its own, because names repeat."""
    out_dir = folder / "out"
    out_dir.mkdir(parents=True)
    inputs: protocol.FileNames = {}
    for role, names in request.inputs.items():
        if names is None:
            inputs[role] = None
        elif isinstance(names, str):
            inputs[role] = _bring(Path(names), folder / role)
        else:
            inputs[role] = [_bring(Path(name), folder / f"{role}-{number}") for number, name in enumerate(names)]
    staged = request.model_copy(update={"inputs": inputs, "out_dir": str(out_dir)})
    return StagedJob(folder, staged, Path(request.out_dir))


def _bring(file: Path, folder: Path) -> str:
    folder.mkdir()
    place = folder / file.name
    if not (_CONTENT.fullmatch(file.name) and try_link(file.resolve(), place)):
        copy_verified(file, place)
    return str(place)
