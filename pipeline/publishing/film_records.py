"""Reads reel's records beside films: the files there that it wrote itself, also after a film was renamed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from pipeline.publishing.beside import JOBS, UP, job_folder, place_of
from pipeline.publishing.names import alike
from pipeline.publishing.record import JOB, read_job, write_job


def own_names(film: Path) -> frozenset[str]:
    """Return the files in the film's folder that reel wrote, for this film or one that differs in its suffix alone, by
    names as they compare."""
    folder = film.parent
    jobs = [place for place in _records(folder) if place.stem == film.stem]
    jobs += [folder]  # `-o Movies` publishes into the folder of the film itself, where that has its name
    names: set[str] = set()
    for place in jobs:
        if (place / JOB).is_file() and (job := read_job(place)):
            names |= {alike(os.path.relpath(place_of(place, name), folder)) for name in {**job.files, **job.edits}}
    return frozenset(names)


def take_over(film: Path, digest: str) -> None:
    """Give a film that was renamed the record of its old name: what reel wrote under that is reel's still, and so it is
    where it was renamed along with the film."""
    folder = job_folder(film)
    if folder.exists():
        return
    for place in _records(film.parent):
        job = read_job(place)
        if job is None or job.media_sha256 != digest or (film.parent / place.name).exists():
            continue
        place.rename(folder)
        old, new = f"{UP}{place.stem}.", f"{UP}{film.stem}."
        renamed = {
            new + name.removeprefix(old): (sha256,) for name, sha256 in job.files.items() if name.startswith(old)
        }
        write_job(folder, job.model_copy(update={"earlier": {**job.earlier, **renamed}}), over=True)
        return


def _records(folder: Path) -> list[Path]:
    """Return the job folders of the films in a folder."""
    with contextlib.suppress(OSError):
        return sorted((folder / JOBS).iterdir())
    return []
