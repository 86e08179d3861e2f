"""Finds the files beside films that reel wrote itself, by its records there, even if a film was renamed since."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from pipeline.publishing.beside import JOBS, UP, job_folder, place_of
from pipeline.publishing.names import alike
from pipeline.publishing.record import JOB, read_job, write_job


def own_names(folder: Path, records: Iterable[str]) -> frozenset[str]:
    """Return the names of the files in a folder of films that reel wrote, in the form for comparison.

    They come from these records, and from that of a job published into the folder itself, as with `-o Movies`.
    """
    names: set[str] = set()
    for place in (folder, *(folder / JOBS / name for name in records)):
        if (place / JOB).is_file() and (job := read_job(place)):
            names |= {alike(os.path.relpath(place_of(place, name), folder)) for name in job.names}
    return frozenset(names)


def take_over(film: Path, digest: str) -> None:
    """Give a renamed film the record that it had under its former name, and a film that replaces another one the record
    of that film.

    Files that reel wrote for the old film remain reel's, also if they were renamed together with the film.
    """
    folder = job_folder(film)
    if folder.exists():
        return
    names = {path.name for path in film.parent.iterdir()}
    jobs = ((place, read_job(place)) for place in _records(film.parent) if place.name not in names)
    gone = [(place, Path(job.media), job) for place, job in jobs if job and Path(job.media).name not in names]
    for place, before, job in sorted(gone, key=lambda record: record[1].stem != film.stem):
        if before.stem != film.stem and job.media_sha256 != digest:
            continue
        place.rename(folder)
        old, new = f"{UP}{before.stem}.", f"{UP}{film.stem}."
        renamed = {
            new + name.removeprefix(old): (sha256,) for name, sha256 in job.files.items() if name.startswith(old)
        }
        if old != new:
            write_job(folder, job.model_copy(update={"earlier": {**job.earlier, **renamed}}), over=True)
        return


def _records(folder: Path) -> list[Path]:
    """Return the job folders of the films in a folder."""
    with contextlib.suppress(OSError):
        return sorted((folder / JOBS).iterdir())
    return []
