"""Published files: results under the names a user expects, in the media's own folder, each by rename.

`job.json` in the folder says which files are ours, what each was made from, and under which licences. It holds no
times, so the same job publishes the same bytes. A file that somebody has edited since is left as it is.
"""

from __future__ import annotations

import itertools
import json
import os
import unicodedata
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from pipeline.model_cache.manifest import Model
from pipeline.plan.model import Plan, Publication, models_used
from pipeline.publishing.edits import Changed, Edit, takes_edits
from pipeline.store.results import ResultStore, StoredFile, StoredResult, object_damaged
from shared.copying import copy_verified
from shared.documents.base import Document, DocumentError
from shared.files import is_sound, sha256_of, write_atomically
from shared.text.language import UNDETERMINED, in_file_name

JOB = "job.json"
_TRANSCRIPT = "transcript"


class Job(Document):
    """`job.json`."""

    media: str  # the file's path
    media_sha256: str
    recipe: str
    profile: str
    files: dict[str, str]  # name to sha256
    origins: dict[str, str] = {}  # name to the `step.role` that it shows
    edits: dict[str, str] = {}  # those of the files that are corrections, with their sha256
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


def forget_edits(folder: Path, names: Sequence[str]) -> None:
    """Let the next job replace these files by what it makes."""
    job = read_job(folder)
    if job is not None:
        left = {name: digest for name, digest in job.edits.items() if name not in names}
        _write_job(folder, job.model_copy(update={"edits": left}))


def read_job(folder: Path) -> Job | None:
    """The job that a folder holds; None for none, or one of another release."""
    try:
        return Job.read(folder / JOB)
    except (OSError, DocumentError):
        return None


def publish(
    plan: Plan, results: Mapping[str, StoredResult], media: Path, media_digest: str, folder: Path,
    store: ResultStore, models: Mapping[str, Model], corrected: Mapping[Edit, Path],
) -> PublishedFiles:  # fmt: skip
    """Bring every publication of the plan into `folder`, and take away what an earlier job left and this has not.

    `corrected` says where the contents of corrections lie: a corrected subtitle is published as its person left it.
    """
    wanted: dict[str, StoredFile] = {}
    origins: dict[str, str] = {}
    for publication in plan.publications:
        for file in _files(results[publication.step], publication.role):
            # A translation into the spoken language adds nothing to the original, which comes first in a recipe.
            name = published_name(publication, media, results[publication.step], file)
            if wanted.setdefault(name, file) is file:
                origins[name] = publication.origin
    places = {name: store.path(file) for name, file in wanted.items()}
    before = read_job(folder)
    known = {**before.edits, **before.files} if before else {}
    theirs = {}
    for edit, place in corrected.items():
        if not edit.applies(results):  # it is of another language, and waits
            continue
        for name in (name for name, origin in origins.items() if origin == edit.origin):
            if edit.role == _TRANSCRIPT:
                theirs[name] = wanted[name].sha256
            elif Path(name).suffix == Path(edit.name).suffix:
                theirs[name] = edit.sha256
                places[name] = place
                wanted[name] = StoredFile(sha256=edit.sha256, size=place.stat().st_size, name=name)
    held = {edit.origin for edit in corrected}  # a later correction of the same output was made on top of the earlier
    lost = {name: digest for name, digest in (before.edits if before else {}).items() if origins.get(name) not in held}
    ours = {(name, file.sha256) for name, file in wanted.items()} | {(edit.name, edit.sha256) for edit in corrected}
    edited = [name for name in wanted if _is_edited(folder / name, known.get(name), ours, lost)]
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".*.part"):  # by a run that was killed while it published
        left.unlink(missing_ok=True)
    for name, file in wanted.items():
        if name not in edited:
            _place(places[name], folder / name, file)
    for name, digest in known.items():
        old = folder / name
        if name not in wanted and name not in lost and old.is_file() and sha256_of(old) == digest:
            old.unlink()
    kept = {name: digest for name, digest in lost.items() if (folder / name).is_file()}
    _write_job(folder, _job(plan, results, media, media_digest, wanted, models, origins, {**kept, **theirs}))
    return PublishedFiles(folder, tuple(folder / name for name in wanted), tuple(folder / name for name in edited))


def changed_files(folder: Path, edits: Sequence[Edit], store: ResultStore) -> list[Changed]:
    """The published files in a folder that somebody has edited, and that can be taken in as corrections."""
    job = read_job(folder)
    if job is None:
        return []
    found = []
    for name, digest in job.files.items():
        path, origin = folder / name, job.origins.get(name, "")
        if not path.is_file() or not takes_edits(name, origin):
            continue
        language = _language(job, origin)
        known = any(edit.origin == origin and edit.corrects(language) for edit in edits)
        is_lost = name in job.edits and not known  # the corrections were deleted with the cache, say
        if sha256_of(path) != digest or is_lost:
            before = store.object_path(digest)
            found.append(Changed(path, origin, before if not is_lost and is_sound(before, digest) else None, language))
    return found


def _language(job: Job, origin: str) -> str | None:
    """The language of a published file, as the step that made it says."""
    facts = job.steps.get(origin.rpartition(".")[0], {}).get("facts")
    language = facts.get("language") if isinstance(facts, dict) else None
    return str(language) if language else None


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


def _is_edited(place: Path, published: str | None, ours: Set[tuple[str, str]], lost: Mapping[str, str]) -> bool:
    """Whether the file holds none of what we published, are about to or have taken in, or a correction that is not
    known any more. `ours` are names with digests."""
    if not place.is_file() or published is None:
        return False
    now = sha256_of(place)
    return (place.name, now) not in ours and (now != published or lost.get(place.name) == now)


def _place(source: Path, place: Path, file: StoredFile) -> None:
    there = place.is_file() and not place.samefile(source)  # an earlier release published links
    if there and place.stat().st_size == file.size and sha256_of(place) == file.sha256:
        return
    beside = place.with_name(f".{place.name}.{os.getpid()}.part")
    beside.unlink(missing_ok=True)
    try:
        if copy_verified(source, beside) != file.sha256:
            raise object_damaged(file)
        os.replace(beside, place)
    finally:
        beside.unlink(missing_ok=True)


def _job(
    plan: Plan, results: Mapping[str, StoredResult], media: Path, media_digest: str, wanted: Mapping[str, StoredFile],
    models: Mapping[str, Model], origins: Mapping[str, str], edits: Mapping[str, str],
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
        origins=dict(sorted(origins.items())),
        edits=dict(sorted(edits.items())),
        steps=steps,
        licences=dict(sorted(licences.items())),
    )


def _write_job(folder: Path, job: Job) -> None:
    text = json.dumps(job.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n"
    place = folder / JOB
    if not (place.is_file() and place.read_text() == text):
        write_atomically(place, text.encode())
