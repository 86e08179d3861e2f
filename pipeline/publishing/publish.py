"""Publishes results in the output folder of a media file, under the names that the recipe gives them.

Each file is written beside its place and renamed. `job.json` in the folder names reel's files, what each was made from,
and the licences. Files of other people, and files that the user has edited since, stay as they are:
`pipeline.publishing.targets` decides that.
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
from pipeline.publishing.edits import Edit
from pipeline.publishing.folder_contents import FolderContents
from pipeline.publishing.folders import may_take
from pipeline.publishing.names import NameRules, fitted, stem_of
from pipeline.publishing.placing import held, put_content, put_copy, sweep
from pipeline.publishing.record import JOB, REPORT, Job, is_regular, read_job, write_job
from pipeline.publishing.targets import Answer, Published, RequestedFile, Target, Targets
from pipeline.store.results import ResultStore, StoredFile, StoredResult, object_damaged
from shared.text.language import UNDETERMINED, in_file_name, is_covered

_MOST_ATTEMPTS = 5  # each fails if another program creates a file with a chosen name meanwhile


class FolderTaken(Exception):
    """Raised if the folder belongs to the job of another media file, which a concurrent run has just published."""


@dataclass(frozen=True)
class FinishedJob:
    """Results of a media file that a run has finished.

    `missing` are the outputs that it could not make, as `step.role`, with the code of the error. `plan_digest`
    identifies everything but the media file that decides the results. `edits` are corrections that they may contain.
    """

    media: Path
    digest: str
    plan: Plan
    results: Mapping[str, StoredResult]
    plan_digest: str = ""
    missing: Mapping[str, str] = field(default_factory=dict)
    edits: Sequence[Edit] = ()


@dataclass(frozen=True)
class Rules:
    """Conditions for publishing the results of one media file.

    `elsewhere` returns another folder instead of one that another run has taken. `untouched` tells whether a file has
    not changed since it was published. With `replace`, files of other people with the names of reel's files are
    overwritten. With `beside`, subtitles go next to the media file, except for those in the languages that it `has`
    already. `foreign_record` is a `job.json` of other people because of which the usual folder is not used. `origin`
    returns the lock that a model comes from. `report` returns the report on a recorded job in a folder; None if no
    report is published. `settings` are those that the user chose, by dotted names.
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
    """Published files of a job.

    `edited` are those that the user has changed, so that they were kept. `theirs` are files of other people that have
    the names of reel's files, and `renamed` are reel's files that got other names because of them. `shortened` are
    files whose names were too long for the disk. `removed` are files of the earlier job in the folder that this one
    does not make.
    """

    folder: Path
    files: tuple[Path, ...]
    edited: tuple[Path, ...] = ()
    theirs: tuple[Path, ...] = ()
    renamed: tuple[Path, ...] = ()
    shortened: tuple[Path, ...] = ()
    removed: tuple[Path, ...] = ()


@dataclass(frozen=True)
class _Output:
    """File to be published. `source` is the path of its content, or the content itself. `edit` is the file's digest if
    it contains a correction of the user."""

    requested: RequestedFile
    origin: str
    file: StoredFile
    source: Path | bytes
    edit: str = ""

    def put(self, target: Path, *, over: bool) -> None:
        """Write the file. Raises `ObjectDamaged`; and `FileExistsError` if the file exists, unless `over` is set."""
        if isinstance(self.source, bytes):
            put_content(self.source, target, over=over)
        elif not put_copy(self.source, target, self.file.sha256, over=over):
            raise object_damaged(self.file)


def publish(finished: FinishedJob, folder: Path, rules: Rules) -> PublishedFiles:
    """Publish every output of the plan into `folder`, and delete the files of the earlier job that this one lacks.

    Raises `ObjectDamaged` for a content that does not have its digest.
    """
    outputs = _outputs(finished, rules)
    while True:
        try:
            return _publish_into(folder, finished, outputs, rules)
        except FolderTaken:
            folder = rules.elsewhere(folder)


def _publish_into(folder: Path, finished: FinishedJob, outputs: Sequence[_Output], rules: Rules) -> PublishedFiles:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:  # a file has that name
        raise FolderTaken from error
    with contextlib.ExitStack() as stack:
        for place in (folder, *([place_of(folder, UP)] if rules.beside else [])):
            if stack.enter_context(held(place)):
                sweep(place)
        for attempt in range(1, _MOST_ATTEMPTS + 1):
            try:
                return _Attempt(finished, folder, rules).publish(outputs)
            except FileExistsError:  # created after the check
                if attempt == _MOST_ATTEMPTS:
                    raise
    raise AssertionError("the last attempt returns or raises")


class _Attempt:
    """Attempt to publish into a folder, based on its present content."""

    def __init__(self, finished: FinishedJob, folder: Path, rules: Rules) -> None:
        self._finished, self._folder, self._rules = finished, folder, rules
        if not may_take(folder, finished.media, finished.digest, rules.batch, replace=rules.replace):
            raise FolderTaken
        self._before = read_job(folder)
        self._over = is_regular(folder / JOB)
        self._corrected = {edit.origin for edit in finished.edits}  # the newest correction contains the earlier ones
        self._contents = FolderContents(folder, rules.batch, rules.untouched)

    def publish(self, outputs: Sequence[_Output]) -> PublishedFiles:
        """Write the record, then the files that it names; then delete the remaining files of the earlier job."""
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
        removed = [place_of(self._folder, name) for name in left]
        for path in removed:
            path.unlink(missing_ok=True)
        write_job(self._folder, job, over=True)
        return replace(_published_files(self._folder, chosen), removed=tuple(removed))

    def _lost(self, outputs: Sequence[_Output]) -> dict[str, str]:
        """Return the corrections that exist only in the folder: reel has lost them, or no output contains them."""
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
    """Return the files that the earlier job published, from its record."""
    files: dict[str, set[str]] = {}
    for name, digest in (*job.edits.items(), *job.files.items()):
        files.setdefault(name, set()).add(digest)
    for name, digests in job.earlier.items():
        files.setdefault(name, set()).update(digests)
    return Published(files, lost, job.renamed)


def _published_files(folder: Path, chosen: Sequence[tuple[_Output, Target]]) -> PublishedFiles:
    """Return the files that were published to these targets."""
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


def _outputs(finished: FinishedJob, rules: Rules) -> list[_Output]:
    """Return the outputs that the plan publishes and that were made, each with a name of its own."""
    found: dict[str, _Output] = {}
    for publication in finished.plan.publications:
        result = finished.results.get(publication.step)
        if result is None:
            continue
        for file in _files(result, publication.role):
            stem, tail = _name_parts(publication, finished.media, result, file, rules.names)
            if rules.beside and lies_beside(publication.role, tail) and not _has_subtitles(result, rules):
                stem = UP + stem
            # A translation into the spoken language equals the original, which comes first in a recipe.
            if stem + tail not in found:
                requested = RequestedFile(stem, tail, file.sha256, file.size)
                found[stem + tail] = _Output(requested, publication.origin, file, rules.store.path(file))
    return [_with_correction(output, finished) for output in found.values()]


def _report_file(content: bytes) -> _Output:
    digest = hashlib.sha256(content).hexdigest()
    file = StoredFile(sha256=digest, size=len(content), name=f"{REPORT}.html")
    return _Output(RequestedFile(REPORT, ".html", digest, len(content)), REPORT, file, content)


def _has_subtitles(result: StoredResult, rules: Rules) -> bool:
    """Tell whether the media file already has other subtitles in the language of a result."""
    language = str(result.facts.get("language") or UNDETERMINED)
    return any(is_covered(language, existing) for existing in rules.has)


def _with_correction(output: _Output, finished: FinishedJob) -> _Output:
    """Return the output with the digests of the corrected files that it may replace, because it contains their
    corrections."""
    for edit in finished.edits:
        if edit.origin != output.origin or not edit.applies(finished.results):
            continue
        accepted = output.requested.accepted | {edit.sha256}
        if Path(output.requested.name).suffix == Path(edit.name).suffix:
            output = replace(output, requested=replace(output.requested, accepted=accepted), edit=output.file.sha256)
    return output


def _name_parts(
    publication: Publication, media: Path, result: StoredResult, file: StoredFile, names: NameRules
) -> tuple[str, str]:
    """Return the two parts of a published file's name: the stem, which may be cut, and the tail, which may not."""
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
    """Return the record of each step, and the licences of the models and backends that the steps used."""
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
