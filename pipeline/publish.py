"""Published files: results under the names a user expects, in the media's own folder, each by rename.

`job.json` in the folder says which files are ours, what each was made from, and under which licences. It holds no
times, so the same job publishes the same bytes. A file that somebody has edited since is left as it is.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from pipeline.model_cache.manifest import Model
from pipeline.plan import Plan, Publication
from pipeline.result_store import ResultStore, StoredFile, StoredResult
from pipeline.spoken import models_used
from shared.document import Document, DocumentError
from shared.files import sha256_of, write_atomically
from shared.language import UNDETERMINED, in_file_name

JOB = "job.json"
_LINK_FROM_BYTES = 8 << 20  # smaller files are copied, so that a text editor can do with them what it likes


class Job(Document):
    """`job.json`."""

    media: str  # the file's path
    media_sha256: str
    recipe: str
    profile: str
    files: dict[str, str]  # name to sha256
    steps: dict[str, dict[str, JsonValue]]
    licences: dict[str, str]


@dataclass(frozen=True)
class PublishedFiles:
    """What is in the folder now, and which of our files somebody has edited and so keeps."""

    folder: Path
    files: tuple[Path, ...]
    edited: tuple[Path, ...]


class Folders:
    """Gives each media of a run a folder of its own, whatever others are called: in another letter case, or composed
    otherwise in Unicode, two names are one on some disks and for every reader."""

    def __init__(self) -> None:
        self._taken: dict[str, Path] = {}

    def take_again(self, folder: Path, media: Path) -> bool:
        """Whether the media may have the folder that it had before."""
        alike = unicodedata.normalize("NFC", str(folder)).casefold()
        return self._taken.setdefault(alike, media) == media

    def take(self, output: Path, media: Path, digest: str) -> Path:
        """The folder for a media: its name; with a part of its digest where another of that name was there first."""
        for name in (media.stem, *(f"{media.stem}-{digest[:length]}" for length in range(8, 65, 8))):
            folder = output / name
            alike = unicodedata.normalize("NFC", str(folder)).casefold()
            owner = self._taken.get(alike)
            if owner == media or (owner is None and _is_free(folder, media, digest)):
                self._taken[alike] = media
                return folder
        number = next(n for n in itertools.count(2) if str(output / f"{media.stem}-{n}") not in self._taken)
        self._taken[str(output / f"{media.stem}-{number}")] = media
        return output / f"{media.stem}-{number}"


def _is_free(folder: Path, media: Path, digest: str) -> bool:
    job = read_job(folder)
    moved_here = job and job.media_sha256 == digest and not Path(job.media).exists()
    return job is None or job.media == str(media) or bool(moved_here)


def read_job(folder: Path) -> Job | None:
    """The job that a folder holds; None for none, or one of another release."""
    try:
        return Job.read(folder / JOB)
    except (OSError, DocumentError):
        return None


def publish(
    plan: Plan, results: Mapping[str, StoredResult], media: Path, media_digest: str, folder: Path,
    store: ResultStore, models: Mapping[str, Model],
) -> PublishedFiles:  # fmt: skip
    """Bring every publication of the plan into `folder`, and take away what an earlier job left and this has not."""
    wanted: dict[str, StoredFile] = {}
    for publication in plan.publications:
        for file in _files(results[publication.step], publication.role):
            # A translation into the spoken language adds nothing to the original, which comes first in a recipe.
            wanted.setdefault(published_name(publication, media, results[publication.step], file), file)
    before = read_job(folder)
    known = before.files if before else {}
    edited = [name for name in wanted if _is_edited(folder / name, wanted[name].sha256, known.get(name))]
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".*.part"):  # by a run that was killed while it published
        left.unlink(missing_ok=True)
    for name, file in wanted.items():
        if name not in edited:
            _place(store.path(file), folder / name, file)
    for name, digest in known.items():
        old = folder / name
        if name not in wanted and old.is_file() and sha256_of(old) == digest:
            old.unlink()
    _write_job(folder, _job(plan, results, media, media_digest, wanted, models))
    return PublishedFiles(folder, tuple(folder / name for name in wanted), tuple(folder / name for name in edited))


def published_name(publication: Publication, media: Path, result: StoredResult, file: StoredFile) -> str:
    """The name under which a result's file is published."""
    kind = str(result.facts.get("kind") or "full")
    _, dot, suffix = file.name.partition(".")
    return publication.name.format(
        name=media.stem,
        language=in_file_name(str(result.facts.get("language") or UNDETERMINED)),
        kind="" if kind == "full" else f".{kind}",
        suffix=f"{dot}{suffix}",
    )


def _files(result: StoredResult, role: str) -> tuple[StoredFile, ...]:
    output = result.outputs[role]
    return (output,) if isinstance(output, StoredFile) else output or ()


def _is_edited(place: Path, new: str, published: str | None) -> bool:
    """Whether the file holds neither what we published nor what we are about to."""
    if not place.is_file() or published is None:
        return False
    return sha256_of(place) not in {new, published}


def _place(source: Path, place: Path, file: StoredFile) -> None:
    if place.is_file() and (
        place.samefile(source) or (place.stat().st_size == file.size and sha256_of(place) == file.sha256)
    ):
        return
    beside = place.with_name(f".{place.name}.{os.getpid()}.part")
    beside.unlink(missing_ok=True)
    linked = False
    if file.size >= _LINK_FROM_BYTES:
        try:
            os.link(source, beside)
            linked = True
        except OSError:  # another disk, or one without links
            pass
    if not linked:
        shutil.copyfile(source, beside)
        with open(beside, "rb+") as stream:
            os.fsync(stream.fileno())
    os.replace(beside, place)


def _job(
    plan: Plan, results: Mapping[str, StoredResult], media: Path, media_digest: str, wanted: Mapping[str, StoredFile],
    models: Mapping[str, Model],
) -> Job:  # fmt: skip
    steps: dict[str, dict[str, JsonValue]] = {}
    licences: dict[str, str] = {}
    for step in plan.steps:
        result = results[step.id]
        facts: dict[str, JsonValue] = dict(result.facts)
        used: dict[str, JsonValue] = {**models_used(step, result.ingredients)}
        steps[step.id] = {
            "key": result.key,
            "backend": step.backend_name,
            "models": used,
            "tools": result.ingredients["tools"],
            "facts": facts,
            "warnings": list(result.warnings),
        }
        licences |= {name: models[name].licence for name in models_used(step, result.ingredients).values()}
        if step.backend.licence_note:
            licences[step.backend_name] = step.backend.licence_note
    return Job(
        media=str(media),
        media_sha256=media_digest,
        recipe=plan.recipe,
        profile=plan.profile,
        files={name: file.sha256 for name, file in sorted(wanted.items())},
        steps=steps,
        licences=dict(sorted(licences.items())),
    )


def _write_job(folder: Path, job: Job) -> None:
    text = json.dumps(job.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n"
    place = folder / JOB
    if not (place.is_file() and place.read_text() == text):
        write_atomically(place, text.encode())
