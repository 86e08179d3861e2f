"""Publishes results under the names that a user expects, in the folder of the media file, each by a rename.

`job.json` in the folder names reel's files, what each was made from, and the licences. Files of other people, and files
that a person has edited since, stay as they are: `pipeline.publishing.targets` decides.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import JsonValue

from pipeline.model_cache.manifest import Model
from pipeline.model_cache.overlay import Origin
from pipeline.plan.model import Plan, Publication, models_used
from pipeline.publishing.batch_media import BatchMedia
from pipeline.publishing.beside import UP, lies_beside, place_of
from pipeline.publishing.edits import Changed, Edit, takes_edits
from pipeline.publishing.folder_contents import FolderContents
from pipeline.publishing.folders import may_take
from pipeline.publishing.names import NameRules, fitted, stem_of
from pipeline.publishing.placing import held, put_content, put_copy, sweep
from pipeline.publishing.record import JOB, REPORT, Job, is_regular, read_job, write_job
from pipeline.publishing.targets import Answer, Published, RequestedFile, Target, Targets
from pipeline.store.results import ResultStore, StoredFile, StoredResult, object_damaged
from shared.files import is_intact, sha256_of
from shared.text.language import UNDETERMINED, in_file_name, is_covered

_TRANSCRIPT = "transcript"
_TRIES = 5  # if other programs create files with the chosen names while reel writes its own


class FolderTaken(Exception):
    """Error: the folder holds the job of another media file, which a concurrent run has just published."""


@dataclass(frozen=True)
class FinishedJob:
    """Results that a run has made of a media file.

    `missing` are the outputs that it could not make, as `step.role`, with the code of the error. `plan_digest` stands
    for everything but the media file that decides the results.
    """

    media: Path
    digest: str
    plan: Plan
    results: Mapping[str, StoredResult]
    plan_digest: str = ""
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rules:
    """Conditions for publishing the results of one media file.

    `elsewhere` returns another folder for one that another run has taken. `untouched` tells whether a file is unchanged
    since it was published. With `replace`, the user gives up files of other people that have the names of reel's. With
    `beside`, subtitles lie next to the media file, except for those in the languages that it `has` already.
    `foreign_record` is the record that kept the file from its usual folder. `origin` says which lock a model is from.
    `report` writes the report on a job that is recorded so, in this folder; without it, none is published.
    `settings` are what the user asked for, by dotted names.
    """

    store: ResultStore
    models: Mapping[str, Model]
    batch: BatchMedia
    names: NameRules
    elsewhere: Callable[[Path], Path]
    untouched: Callable[[Path], bool] = lambda path: False
    replace: bool = False
    beside: bool = False
    has: tuple[str, ...] = ()
    foreign_record: Path | None = None
    origin: Callable[[str], Origin] = lambda model: "shipped"
    report: Callable[[Job, Mapping[str, StoredResult], Path], bytes] | None = None
    settings: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True)
class PublishedFiles:
    """Published files of a folder.

    `edited` are those that a person has changed, so that reel kept them. `theirs` are files of other people that have
    the names of reel's; `renamed` are reel's files under other names for that reason. `shortened` are names that were
    too long for the disk.
    """

    folder: Path
    files: tuple[Path, ...]
    edited: tuple[Path, ...] = ()
    theirs: tuple[Path, ...] = ()
    renamed: tuple[Path, ...] = ()
    shortened: tuple[Path, ...] = ()


@dataclass(frozen=True)
class _Output:
    """File to be published: its content, and the path of that, or its bytes. `edit` is the correction that it is or
    contains."""

    requested: RequestedFile
    origin: str
    file: StoredFile
    source: Path | bytes
    edit: str = ""

    def put(self, target: Path, *, over: bool) -> None:
        """Write the file. Raises `ObjectDamaged`, and `FileExistsError` without `over`."""
        if isinstance(self.source, bytes):
            put_content(self.source, target, over=over)
        elif not put_copy(self.source, target, self.file.sha256, over=over):
            raise object_damaged(self.file)


def forget_edits(folder: Path, names: Sequence[str]) -> None:
    """Allow the next job to replace these files by its results."""
    job = read_job(folder)
    if job is not None:
        left = {name: digest for name, digest in job.edits.items() if Path(name).name not in names}
        write_job(folder, job.model_copy(update={"edits": left}), over=True)


def publish(finished: FinishedJob, folder: Path, corrected: Mapping[Edit, Path], rules: Rules) -> PublishedFiles:
    """Publish every output of the plan into `folder`, and remove the files of an earlier job that this one lacks.

    `corrected` holds the paths of corrections, which are contained in the results. Raises
    `ObjectDamaged` for a result that does not have its digest.
    """
    outputs = _outputs(finished, corrected, rules)
    while True:
        try:
            return _publish_into(folder, finished, outputs, corrected, rules)
        except FolderTaken:
            folder = rules.elsewhere(folder)


def _publish_into(
    folder: Path, finished: FinishedJob, outputs: Sequence[_Output], corrected: Mapping[Edit, Path], rules: Rules
) -> PublishedFiles:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:  # a file has that name
        raise FolderTaken from error
    with contextlib.ExitStack() as stack:
        for place in (folder, *([place_of(folder, UP)] if rules.beside else [])):
            if stack.enter_context(held(place)):
                sweep(place)
        for attempt in range(_TRIES):
            try:
                return _Folder(finished, folder, corrected, rules).publish(outputs)
            except FileExistsError:  # a file that appeared after the check
                if attempt == _TRIES - 1:
                    raise
    raise AssertionError("the last attempt returns or raises")


class _Folder:
    """Attempt to publish into a folder, based on its current content."""

    def __init__(self, finished: FinishedJob, folder: Path, corrected: Mapping[Edit, Path], rules: Rules) -> None:
        self._finished, self._folder, self._rules = finished, folder, rules
        if not may_take(folder, finished.media, finished.digest, rules.batch, replace=rules.replace):
            raise FolderTaken
        self._before = read_job(folder)
        self._over = is_regular(folder / JOB)
        self._corrected = {edit.origin for edit in corrected}  # a later correction contains the earlier ones
        self._contents = FolderContents(folder, rules.batch, rules.untouched)

    def publish(self, outputs: Sequence[_Output]) -> PublishedFiles:
        """Write the record, then the files that it names, then remove the remaining files of the earlier job."""
        rules, contents = self._rules, self._contents
        published = _published(self._before, self._lost(outputs)) if self._before else Published()
        targets = Targets(published, contents, rules.names, replace=rules.replace, reserved=[JOB])
        chosen = [(output, targets.choose(output.requested)) for output in outputs]
        job = self._record(chosen, published.lost)
        if rules.report:
            report = _report_file(rules.report(job, self._finished.results, self._folder))
            chosen.append((report, targets.choose(report.requested)))
            job = self._record(chosen, published.lost)
        left = targets.left_over(job.files.keys())
        replaced = [target.name for _, target in chosen if target.answer is Answer.REPLACE]
        earlier = {name: (contents.sha256(name),) for name in (*left, *replaced) if name in published.files}
        write_job(self._folder, job.model_copy(update={"earlier": earlier}), over=self._over)
        for output, target in chosen:
            if target.answer in {Answer.CREATE, Answer.REPLACE}:
                output.put(place_of(self._folder, target.name), over=target.answer is Answer.REPLACE)
        for name in left:
            place_of(self._folder, name).unlink(missing_ok=True)
        write_job(self._folder, job, over=True)
        return _report(self._folder, chosen, rules.names)

    def _lost(self, outputs: Sequence[_Output]) -> dict[str, str]:
        """Return the corrections in the folder that reel no longer knows, or that no current output contains."""
        if self._before is None:
            return {}
        origins = {
            fitted(output.requested.stem, output.requested.tail, self._rules.names): output.origin for output in outputs
        }
        names = self._before.renamed
        return {
            name: digest
            for name, digest in self._before.edits.items()
            if origins.get(names.get(name, name)) not in self._corrected
        }

    def _record(self, chosen: Sequence[tuple[_Output, Target]], lost: Mapping[str, str]) -> Job:
        """Return the record of reel's files in the folder."""
        finished, before = self._finished, self._before
        ours = [(output, target) for output, target in chosen if target.answer is not Answer.SAME_AS_THEIRS]
        files = {target.name: output.file.sha256 for output, target in ours}
        origins = {target.name: output.origin for output, target in ours}
        steps, licences = _steps(finished, self._rules)
        renamed = {target.name: target.usual_name for _, target in ours if target.name != target.usual_name}
        if before and before.plan == finished.plan_digest and before.media_sha256 == finished.digest:
            # An output that could not be made this time was made from the same inputs before, so it is still correct.
            for name in (name for name in before.files if before.origins.get(name) in finished.missing):
                files.setdefault(name, before.files[name])
                origins.setdefault(name, before.origins[name])
                step = origins[name].rpartition(".")[0]
                steps.setdefault(step, before.steps.get(step, {}))
                if name in before.renamed:
                    renamed[name] = before.renamed[name]
        there = {name: digest for name, digest in lost.items() if place_of(self._folder, name).is_file()}
        edits = {target.name: output.edit for output, target in ours if output.edit}
        return Job(
            media=str(finished.media),
            media_sha256=finished.digest,
            recipe=finished.plan.recipe,
            profile=finished.plan.profile,
            settings=dict(self._rules.settings),
            plan=finished.plan_digest,
            files=dict(sorted(files.items())),
            renamed=dict(sorted(renamed.items())),
            missing=dict(sorted(finished.missing.items())),
            origins=dict(sorted(origins.items())),
            edits=dict(sorted({**there, **edits}.items())),
            steps=steps,
            licences=dict(sorted(licences.items())),
        )


def _published(job: Job, lost: Mapping[str, str]) -> Published:
    """Return the published files of the earlier job, from its record."""
    files: dict[str, set[str]] = {}
    for name, digest in (*job.edits.items(), *job.files.items()):
        files.setdefault(name, set()).add(digest)
    for name, digests in job.earlier.items():
        files.setdefault(name, set()).update(digests)
    return Published(files, lost, job.renamed)


def _report(folder: Path, chosen: Sequence[tuple[_Output, Target]], names: NameRules) -> PublishedFiles:
    """Return the published files for the report to the user."""
    others = [target for _, target in chosen if target.name != target.usual_name]
    renamed = [target for target in others if os.path.lexists(place_of(folder, target.usual_name))]
    return PublishedFiles(
        folder,
        files=tuple(place_of(folder, target.name) for _, target in chosen),
        edited=tuple(place_of(folder, target.name) for _, target in chosen if target.answer is Answer.EDITED),
        theirs=tuple(place_of(folder, target.usual_name) for target in renamed),
        renamed=tuple(place_of(folder, target.name) for target in renamed),
        shortened=tuple(
            place_of(folder, target.name) for output, target in chosen if output.requested.name != target.usual_name
        ),
    )


def _outputs(finished: FinishedJob, corrected: Mapping[Edit, Path], rules: Rules) -> list[_Output]:
    """Return every output that the plan publishes and that was made, each under a name of its own."""
    found: dict[str, _Output] = {}
    for publication in finished.plan.publications:
        result = finished.results.get(publication.step)
        if result is None:
            continue
        for file in _files(result, publication.role):
            stem, tail = _name_parts(publication, finished.media, result, file, rules.names)
            if rules.beside and lies_beside(publication.role, tail) and not _is_there(result, rules):
                stem = UP + stem
            # A translation into the spoken language adds nothing to the original, which comes first in a recipe.
            if stem + tail not in found:
                requested = RequestedFile(stem, tail, file.sha256, file.size)
                found[stem + tail] = _Output(requested, publication.origin, file, rules.store.path(file))
    return [_with_correction(output, finished, corrected) for output in found.values()]


def _report_file(content: bytes) -> _Output:
    digest = hashlib.sha256(content).hexdigest()
    file = StoredFile(sha256=digest, size=len(content), name=f"{REPORT}.html")
    return _Output(RequestedFile(REPORT, ".html", digest, len(content)), REPORT, file, content)


def _is_there(result: StoredResult, rules: Rules) -> bool:
    """Tell whether the media file already has subtitles in the language of a result."""
    language = str(result.facts.get("language") or UNDETERMINED)
    return any(is_covered(language, existing) for existing in rules.has)


def _with_correction(output: _Output, finished: FinishedJob, corrected: Mapping[Edit, Path]) -> _Output:
    """Return the file with what it may replace: the corrected files whose corrections it contains."""
    for edit in corrected:
        # A correction in another language is not used.
        if edit.origin != output.origin or not edit.applies(finished.results):
            continue
        accepted = output.requested.accepted | {edit.sha256}
        if Path(output.requested.name).suffix == Path(edit.name).suffix:
            output = replace(output, requested=replace(output.requested, accepted=accepted), edit=output.file.sha256)
    return output


def changed_files(folder: Path, edits: Sequence[Edit], store: ResultStore) -> list[Changed]:
    """Return the published files in a folder that a person has edited, and that can become corrections."""
    job = read_job(folder)
    if job is None:
        return []
    found = []
    for name, digest in job.files.items():
        path, origin = place_of(folder, name), job.origins.get(name, "")
        if not path.is_file() or not takes_edits(name, origin):
            continue
        language = _language(job, origin)
        known = any(edit.origin == origin and edit.corrects(language) for edit in edits)
        is_lost = name in job.edits and not known  # for example, the corrections were deleted with the cache
        if sha256_of(path) != digest or is_lost:
            before = store.object_path(digest)
            known_before = before if not is_lost and is_intact(before, digest) else None
            source = _transcript_in(job, store) if ":" in origin else None  # a step with a target language
            found.append(Changed(path, origin, known_before, language, source))
    return found


def _transcript_in(job: Job, store: ResultStore) -> Path | None:
    """Return the content of the published transcript as reel made it, if it is still there."""
    for name, digest in job.files.items():
        if job.origins.get(name, "").rpartition(".")[2] == _TRANSCRIPT and is_intact(store.object_path(digest), digest):
            return store.object_path(digest)
    return None


def _language(job: Job, origin: str) -> str | None:
    """Return the language of a published file, as the step that made it states."""
    facts = job.steps.get(origin.rpartition(".")[0], {}).get("facts")
    language = facts.get("language") if isinstance(facts, dict) else None
    return str(language) if language else None


def _name_parts(
    publication: Publication, media: Path, result: StoredResult, file: StoredFile, names: NameRules
) -> tuple[str, str]:
    """Return the name of a published file: its stem, which may be cut, and the rest."""
    kind = str(result.facts.get("kind") or "full")
    _, dot, suffix = file.name.partition(".")
    parts = {
        "language": in_file_name(str(result.facts.get("language") or UNDETERMINED)),
        "kind": "" if kind == "full" else f".{kind}",
        "suffix": f"{dot}{suffix}",
    }
    if publication.name.startswith("{name}"):
        stem = stem_of(media.name, names)
        return stem, publication.name.removeprefix("{name}").format(name=stem, **parts)
    stem, dot, tail = publication.name.format(name=stem_of(media.name, names), **parts).partition(".")
    return stem, dot + tail


def _files(result: StoredResult, role: str) -> tuple[StoredFile, ...]:
    output = result.outputs[role]
    return (output,) if isinstance(output, StoredFile) else output or ()


def _steps(finished: FinishedJob, rules: Rules) -> tuple[dict[str, dict[str, JsonValue]], dict[str, str]]:
    """Return a description of what each step used, and the licences of that."""
    steps: dict[str, dict[str, JsonValue]] = {}
    licences: dict[str, str] = {}
    for step in finished.plan.steps:
        result = finished.results.get(step.id)
        if result is None:
            continue
        used = models_used(step, result.ingredients)
        steps[step.id] = {
            "key": result.key,
            "backend": step.backend_name,
            "models": {**used},
            "locked": {name: rules.origin(name) for name in sorted(used.values())},
            "tools": result.ingredients["tools"],
            "facts": dict(result.facts),
            "warnings": list(result.warnings),
        }
        licences |= {name: rules.models[name].licence for name in used.values()}
        if step.backend.licence_note:
            licences[step.backend_name] = step.backend.licence_note
    return steps, licences
