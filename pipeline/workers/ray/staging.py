"""The folder through which machines without a common result store give each other a job's files.

Each job has a folder of its own there for as long as it runs, so that no more lies in it than what is at work. Where
it is on the disk of the results, stored contents are linked into it, else copied. A user's file is always copied: a
link would change the file's own time of change, by which a swap is noticed.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from shared import protocol
from shared.copying import copy_verified
from shared.files import try_link

_CONTENT = re.compile("[0-9a-f]{64}")  # how the store names what it holds


@dataclass(frozen=True)
class StagedJob:
    """One job's folder; `request` names the files as the other machine finds them."""

    folder: Path
    request: protocol.Run
    out_dir: Path

    def bring_back(self) -> None:
        """Move what the job has written to where it was to be."""
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
    """Put the job's inputs into `folder`, which is made, each in a folder of its own: names repeat."""
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
