"""Where things lie in library mode: subtitles beside the film, and everything else in a hidden folder there.

    Movies/Film (2020)/Film (2020).mkv
    Movies/Film (2020)/Film (2020).en.srt
    Movies/Film (2020)/.reel/Film (2020).mkv/job.json      with transcript, report and the like

The record of what reel wrote lies beside what it wrote: it goes where the folder goes, is there from every working
folder and every machine that sees the disk, and goes when the film's folder is deleted. Media servers, and the walk
through a folder, pass over hidden names. The film's whole name tells two films with one stem apart.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from pipeline.publishing.record import JOB, read_job

JOBS = ".reel"


def job_folder(film: Path) -> Path:
    """Where a film's `job.json` lies, with all that is no subtitle."""
    return film.parent / JOBS / film.name


def own_names(film: Path) -> frozenset[str]:
    """The files in the film's folder that reel wrote, for this film or one that differs in its suffix alone."""
    folder = film.parent
    jobs = [folder]  # `-o Movies` publishes into the folder of the film itself, where that has its name
    with contextlib.suppress(OSError):
        jobs += [place for place in (folder / JOBS).iterdir() if place.stem == film.stem]
    names: set[str] = set()
    for place in jobs:
        if (place / JOB).is_file() and (job := read_job(place)):
            names |= {os.path.relpath(os.path.join(place, name), folder) for name in {**job.files, **job.edits}}
    return frozenset(names)
