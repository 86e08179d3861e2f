"""Reads and writes `job.json`: the record of reel's files in a folder, and the only proof that a file is reel's.

It has no times, so that the same job publishes the same bytes. During publishing, `earlier` names the files of the
earlier job that may still exist, so that a job that is killed meanwhile leaves no file without a record.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from pydantic import JsonValue

from pipeline.publishing.beside import UP, is_job_folder
from pipeline.publishing.names import NameRules
from pipeline.publishing.placing import put_content
from shared.documents.base import Document, DocumentError

JOB = "job.json"
REPORT = "report"
"""The origin of the report on a job, which no step makes."""
_NO_NAME_HAS = ("\0", "/", "\\", ":") if os.name == "nt" else ("\0", "/")
_NAMES = NameRules()
_LARGEST_BYTES = 64 << 20  # a larger file is not one of reel's
_LEFT_OUT_WHEN_EMPTY = ("settings", "renamed", "missing", "earlier")


class Job(Document):
    """Content of `job.json`."""

    media: str  # the file's path
    media_sha256: str
    recipe: str
    profile: str
    settings: dict[str, JsonValue] = {}  # by dotted names: with them, the same plan is made again
    plan: str = ""  # the digest of everything but the media file that decides what is published
    files: dict[str, str]  # name to sha256
    renamed: dict[str, str] = {}  # name to the usual name, which a file of other people has
    missing: dict[str, str] = {}  # `step.role` of a missing output, to the code of the error
    earlier: dict[str, tuple[str, ...]] = {}  # name to each sha256 that it may still have, while a job is published
    origins: dict[str, str] = {}  # name to the `step.role` that it shows
    edits: dict[str, str] = {}  # the files that are corrections, with their sha256
    steps: dict[str, dict[str, JsonValue]]
    licences: dict[str, str]

    @property
    def names(self) -> frozenset[str]:
        """Return the names of all files of reel's, also of those that a killed job did not delete any more."""
        return frozenset({*self.files, *self.edits, *self.earlier})

    def as_text(self) -> str:
        """Return the text of the file."""
        data = self.model_dump(mode="json")
        data = {name: value for name, value in data.items() if value or name not in _LEFT_OUT_WHEN_EMPTY}
        return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def read_job(folder: Path) -> Job | None:
    """Return the job in a folder; None if there is none that this release can read."""
    path = folder / JOB
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_BYTES:
            return None
        job = Job.read(path)
        return None if "\0" in job.media else _without_strangers(folder, job)
    except (OSError, DocumentError):
        return None


def _without_strangers(folder: Path, job: Job) -> Job:
    """Return the job without names that lead out of the folders where jobs publish: a record of other people may name
    any file."""
    fields = ("files", "renamed", "earlier", "edits", "origins")
    values: dict[str, dict[str, object]] = {field: getattr(job, field) for field in fields}
    names = {name for field in values.values() for name in field}
    up = UP if is_job_folder(folder) else ""
    strangers = {name for name in names if not _is_file_name(name.removeprefix(up))}
    if not strangers:
        return job
    kept = {field: {name: values[field][name] for name in values[field] if name not in strangers} for field in values}
    return job.model_copy(update=kept)


def _is_file_name(name: str) -> bool:
    """Tell whether a name is that of a file in a folder, which leads nowhere else and which a disk allows.

    It compares text: making a path of each of 14 names in 1,000 records took an eighth of a run without work.
    """
    if name in {"", ".", ".."} or any(mark in name for mark in _NO_NAME_HAS):
        return False
    return _NAMES.size(name) <= _NAMES.longest


def write_job(folder: Path, job: Job, *, over: bool) -> None:
    """Write the record, unless the file already has the same content.

    Without `over`, raises `FileExistsError` if another file is there.
    """
    content = job.as_text().encode()
    if over and is_regular(folder / JOB) and (folder / JOB).read_bytes() == content:
        return
    put_content(content, folder / JOB, over=over)


def is_regular(path: Path) -> bool:
    """Tell whether a path is a regular file, not a link to one."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False
