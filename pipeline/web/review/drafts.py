"""Keeps the drafts of corrections: each in a folder of its own, with copies of the contents that it was made for.

    <results>/serve/drafts/<id>/draft.json       the contents that it began with, and how far it is applied
    <results>/serve/drafts/<id>/journal.jsonl    its operations
    <results>/serve/drafts/<id>/<sha256>         a content, so that pruned results end no review
    <results>/serve/drafts/<id>/applied.json     the draft before it, which was applied

A draft begins with its first operation. From then on, the sound that it belongs to is not pruned. What is applied of it
stays until the job for it is done: a job that failed or was cancelled loses nothing, and what was changed meanwhile
stays a draft.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import RLock

from pipeline.store.pinned import pin, unpin
from pipeline.store.results import ResultStore
from pipeline.web.job_queue import Job
from pipeline.web.refused import Refused
from pipeline.web.review.operation_journal import OperationJournal
from pipeline.web.review.operations import SPEAKER, Draft, Item, SpeakerName
from pipeline.web.review.review_base import ReviewBase, is_review
from shared.documents.base import Document, DocumentError
from shared.documents.transcript import Transcript
from shared.files import write_atomically

_NOTE, _JOURNAL, _APPLIED = "draft.json", "journal.jsonl", "applied.json"
_OPEN = 8  # drafts in memory


class Applying(Document):
    """An attempt to apply a draft: its job, the revision, and by track the sheets that it was applied with."""

    job: str
    revision: int
    sheets: dict[str, str] = {}
    transcript: str | None = None


class DraftNote(Document):
    """Content of `draft.json`. `applied` is the last attempt that succeeded, `applying` the one that has not ended;
    `job` is that of the last attempt, however it ended."""

    base: ReviewBase
    applied: Applying | None = None
    applying: Applying | None = None
    job: str | None = None

    @property
    def attempt(self) -> Applying | None:
        """Return the newest attempt to apply the draft that has not failed."""
        return self.applying or self.applied

    @property
    def compared(self) -> set[str]:
        """Return the sheets that the draft began with, and those that were applied."""
        attempt = self.attempt
        return {track.sheet for track in self.base.tracks} | set(attempt.sheets.values() if attempt else ())


class OpenDraft:
    """One draft. It may not have begun: then nothing of it is on the disk. The methods may block."""

    def __init__(self, folder: Path, note: DraftNote, store: ResultStore) -> None:
        self._folder, self._store = folder, store
        self.note = note
        self.journal = OperationJournal(folder / _JOURNAL, start_of(note.base, self.content))

    @property
    def base(self) -> ReviewBase:
        """Return what the draft began with."""
        return self.note.base

    @property
    def revision(self) -> int:
        """Return the number of the newest revision."""
        return self.journal.revision

    @property
    def etag(self) -> str:
        """Return the name of this state, as it stands in the headers `ETag` and `If-Match`."""
        return f'"{self.base.digest}.{self.revision}"'

    @property
    def open_revisions(self) -> int:
        """Return how many revisions are not applied."""
        return self.revision - (self.note.applied.revision if self.note.applied else 0)

    @property
    def folder(self) -> Path:
        """Return the draft's folder, which may not be there yet."""
        return self._folder

    def content(self, digest: str) -> Path:
        """Return the path of a content: the draft's own copy, or that of the results."""
        own = self._folder / digest
        return own if own.is_file() else self._store.object_path(digest)

    def begin(self) -> None:
        """Write the draft to the disk, with copies of all that it needs, unless it is there."""
        if (self._folder / _NOTE).exists():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        for digest in self.base.kept:
            if not (self._folder / digest).exists():
                write_atomically(self._folder / digest, self._store.object_path(digest).read_bytes())
        pin(self._store.root, self._folder.name, filter(None, [self.base.speech, self.base.media_sha256]))
        self.save(self.note)

    def save(self, note: DraftNote) -> None:
        """Replace the note."""
        note.write(self._folder / _NOTE)
        self.note = note


class DraftStore:
    """The drafts of one server. `find_job` returns a job by its id, None for one that is forgotten."""

    def __init__(self, root: Path, store: ResultStore, find_job: Callable[[str], Job | None]) -> None:
        self.root = root
        self._results, self._find_job = store, find_job
        self._open: OrderedDict[str, OpenDraft] = OrderedDict()
        self.lock = RLock()

    def of(self, name: str, read: Callable[[], ReviewBase]) -> OpenDraft:
        """Return the draft of a review. `read` reads the present results, for a draft that has not begun."""
        with self.lock:
            self._settle(name)
            draft = self._open.get(name)
            is_begun = (self.root / name / _NOTE).exists()
            if is_begun and draft and draft.revision == 0 and not draft.note.attempt:
                self.forget(name)  # its first operation was refused
                draft, is_begun = None, False
            if draft is None or not is_begun:
                base = None if is_begun else read()
                if draft is None or base != draft.base:
                    note = DraftNote(base=base) if base else self._read_note(name)
                    draft = self._open[name] = self._opened(name, note)
            self._open.move_to_end(name)
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)
            return draft

    def known(self, name: str) -> DraftNote | None:
        """Return the note of a draft that has begun; None if there is none."""
        return self._read_note(name) if (self.root / name / _NOTE).exists() else None

    def open_revisions(self, name: str) -> int:
        """Return how many revisions of a draft are not applied."""
        with self.lock:
            self._settle(name)  # which may end the draft
            if not (self.root / name / _NOTE).exists():
                return 0
            return self.of(name, _never).open_revisions

    def forget(self, name: str) -> None:
        """Delete a draft with its operations. What was applied last can still be compared."""
        with self.lock:
            self._open.pop(name, None)
            folder = self.root / name
            (folder / _NOTE).unlink(missing_ok=True)  # first: without it there is no draft
            unpin(self._results.root, name)
            before = _read(folder / _APPLIED)
            kept = {_APPLIED, *(before.compared if before else ())}
            for path in folder.glob("*"):
                if path.name not in kept:
                    path.unlink(missing_ok=True)

    def media(self) -> set[str]:
        """Return the media files of all drafts, which are needed to apply them."""
        return {note.base.media for name in self._names() if (note := self._safely(name))}

    def last_applied(self, name: str) -> DraftNote | None:
        """Return the note of the draft that was applied last, the present one included; None if none was."""
        with self.lock:
            self._settle(name)
            note = self._safely(name)
            return note if note and note.attempt else _read(self.root / name / _APPLIED)

    def last_job(self, name: str) -> str | None:
        """Return the job of the last attempt to apply a draft; None if there was none."""
        with self.lock:
            note = self._safely(name)
            note = note if note and note.job else _read(self.root / name / _APPLIED)
            return note.job if note else None

    def _settle(self, name: str) -> None:
        """Note the outcome of an attempt to apply a draft, once its job has ended."""
        note = self._safely(name)
        if note is None or note.applying is None:
            return
        job = self._find_job(note.applying.job)
        if job and not job.has_ended:
            return
        draft = self._open.get(name) or self._opened(name, note)
        self._open[name] = draft
        if job is None or job.state != "done":
            draft.save(note.model_copy(update={"applying": None}))
        elif draft.revision > note.applying.revision:
            draft.save(note.model_copy(update={"applying": None, "applied": note.applying}))
        else:
            note.write(self.root / name / _APPLIED)
            self.forget(name)

    def _opened(self, name: str, note: DraftNote) -> OpenDraft:
        folder = self.root / name
        if not (folder / _NOTE).exists():
            (folder / _JOURNAL).unlink(missing_ok=True)  # of a draft that was forgotten, cut off by a kill
        try:
            return OpenDraft(folder, note, self._results)
        except (OSError, DocumentError) as error:
            hint = "run the file again with the same settings: only what is missing is made"
            raise Refused(410, "review.gone", f"the results cannot be read: {error}", hint) from error

    def _read_note(self, name: str) -> DraftNote:
        try:
            return DraftNote.read(self.root / name / _NOTE)
        except (OSError, DocumentError) as error:
            raise Refused(500, "review.damaged", f"the draft cannot be read: {error}", "restore its folder") from error

    def _safely(self, name: str) -> DraftNote | None:
        return _read(self.root / name / _NOTE)

    def _names(self) -> list[str]:
        if not self.root.is_dir():
            return []
        return [entry.name for entry in os.scandir(self.root) if is_review(entry.name)]


def _read(note: Path) -> DraftNote | None:
    try:
        return DraftNote.read(note)
    except (OSError, DocumentError):
        return None


def start_of(base: ReviewBase, content: Callable[[str], Path]) -> dict[str, Item]:
    """Return the draft that a review begins with. Reads the contents."""
    found: dict[str, Item] = {}
    for track in base.tracks:
        for number, cue in enumerate(track.read(content(track.sheet)).cues):
            found[f"{track.id}/{number}"] = cue
    if base.transcript:
        for label in labels_of(Transcript.read(content(base.transcript))):
            found[f"{SPEAKER}/{label}"] = SpeakerName(name=label)
    return found


def labels_of(transcript: Transcript) -> list[str]:
    """Return the speakers of a transcript by first appearance."""
    labels = (
        label
        for segment in transcript.segments
        for label in (segment.speaker, *(word.speaker for word in segment.words))
    )
    return [label for label in dict.fromkeys(labels) if label]


def names_of(draft: Draft) -> Mapping[str, str]:
    """Return the speakers' names by label."""
    prefix = f"{SPEAKER}/"
    return {name.removeprefix(prefix): item.name for name, item in draft.items() if isinstance(item, SpeakerName)}


def _never() -> ReviewBase:
    raise AssertionError("a draft that has begun has its base")
