"""Makes the report on a published job. The same job always gives the same bytes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from pipeline.publishing.beside import place_of
from pipeline.publishing.record import REPORT, Job
from pipeline.publishing.run_report.job_facts import JobFacts, Materials
from pipeline.publishing.run_report.job_page import SoundLink, address_at, job_report
from pipeline.store.results import StoredResult

# Formats that a browser can play from a given time on.
_PLAYABLE = frozenset({".mp4", ".m4v", ".mov", ".webm", ".mp3", ".m4a", ".wav", ".ogg", ".oga", ".opus", ".flac"})


def report_of(
    job: Job, results: Mapping[str, StoredResult], materials: Materials, folder: Path, page_folder: Path | None = None
) -> bytes:
    """Return the report on the job in `folder`. Its links are relative to `page_folder`, or else to `folder`."""
    link = link_to_sound(job, folder, page_folder or folder)
    return job_report(JobFacts(without_report(job), results, materials), link).encode()


def without_report(job: Job) -> Job:
    """Return the record without the report, which cannot contain its own digest."""
    files = {name: digest for name, digest in job.files.items() if job.origins.get(name) != REPORT}
    return job if len(files) == len(job.files) else job.model_copy(update={"files": files})


def link_to_sound(job: Job, folder: Path, page_folder: Path) -> SoundLink:
    """Return the function that returns the address of a time in the media file, relative to the page.

    The published film is used instead if a browser can play it and not the media file.
    """
    media = Path(job.media)
    films = [name for name, origin in job.origins.items() if origin.rpartition(".")[2] == "video"]
    playable = [place_of(folder, name) for name in films if Path(name).suffix.lower() in _PLAYABLE]
    target = playable[0] if playable and media.suffix.lower() not in _PLAYABLE else media
    try:
        path = os.path.relpath(target, page_folder)
    except ValueError:  # on another drive
        return lambda start_ms: None
    address = quote(os.fsencode(path).replace(b"\\", b"/") if os.name == "nt" else os.fsencode(path))
    return lambda start_ms: address_at(address, start_ms)
