"""Finds what can be reviewed: the folders where results were published, by a server's job or by the command line."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.publishing.record import JOB, Job, read_job
from pipeline.store.index import Index
from pipeline.store.results import ResultStore, StoredFile
from pipeline.web.media_roots import MediaRoots
from pipeline.web.refused import Refused
from pipeline.web.review.drafts import DraftStore, OpenDraft
from pipeline.web.review.pictures import PROXY
from pipeline.web.review.review_base import ReviewBase, is_review, read_base, review_id
from shared.documents.base import DocumentError
from shared.text.glossary import Glossary

_BASES = 32  # that are kept in memory


@dataclass(frozen=True)
class Reviewable:
    """A published folder, by the name under which it is reviewed."""

    id: str
    folder: Path
    media: Path


class Reviews:
    """The reviews of one server. `uploads` is the folder of uploaded files, `answers` that of results which are sent
    back and deleted, `glossary` that of the settings. The methods may block, and any thread may call them."""

    def __init__(
        self, store: ResultStore, drafts: DraftStore, roots: MediaRoots, uploads: Path, answers: Path,
        glossary: Path | None = None,
    ) -> None:  # fmt: skip
        self.store, self.drafts = store, drafts
        self._roots, self._uploads, self._answers, self._glossary = roots, uploads, answers, glossary
        self._of_thread = threading.local()
        self._known: dict[str, Reviewable] = {}
        self._bases: dict[str, tuple[tuple[int, int, int], ReviewBase]] = {}

    @property
    def _index(self) -> Index:
        """Return the index of the calling thread: a connection belongs to the thread that opened it, and one for each
        call would stay open for long."""
        if not hasattr(self._of_thread, "index"):
            self._of_thread.index = Index(self.store.index.file)
        index: Index = self._of_thread.index
        return index

    def all(self) -> list[Reviewable]:
        """Return everything that can be reviewed, the newest first."""
        rows = self._index.query(
            "SELECT folder, media, max(rowid) AS newest FROM run_items WHERE folder IS NOT NULL AND media IS NOT NULL"
            " GROUP BY folder ORDER BY newest DESC"
        )
        found = [Reviewable(review_id(Path(str(row[0]))), Path(str(row[0])), Path(str(row[1]))) for row in rows]
        found = [one for one in found if not one.folder.is_relative_to(self._answers)]
        self._known = {one.id: one for one in found}
        return found

    def draft(self, name: str) -> OpenDraft:
        """Return the draft of a review. Raises `Refused`."""
        return self.drafts.of(name, lambda: self.base(name))

    def base(self, name: str) -> ReviewBase:
        """Return what is published now. Raises `Refused`."""
        folder = self._find(name).folder
        try:
            status = (folder / JOB).stat()
        except OSError:
            return read_base(folder, self.store)
        version = (status.st_mtime_ns, status.st_size, status.st_ino)
        known = self._bases.get(name)
        # Reading the record and its results took more than half of the time of an answer.
        if known and known[0] == version and all(map(self._is_there, (*known[1].kept, known[1].speech or "-"))):
            return known[1]
        base = read_base(folder, self.store)
        self._bases[name] = version, base
        while len(self._bases) > _BASES:
            self._bases.pop(next(iter(self._bases)))
        return base

    def _is_there(self, digest: str) -> bool:
        return self.store.object_path(digest).is_file()

    def is_newer(self, draft: OpenDraft) -> bool:
        """Tell whether the files were made again since a draft began."""
        try:
            return self.base(draft.base.id).digest != draft.base.digest
        except Refused:
            return False

    def film(self, base: ReviewBase) -> tuple[Path | None, str]:
        """Return the film, if its picture may be shown; else None and why not."""
        path = Path(base.media)
        if path.is_relative_to(self._uploads):
            return (path, "") if path.is_file() else (None, "the uploaded file is not kept any more")
        try:
            return self._roots.find(base.media), ""
        except Refused as refused:
            return None, " ".join(filter(None, [refused.message, refused.hint and f"({refused.hint})"]))

    def proxy(self, base: ReviewBase) -> str | None:
        """Return the digest of the copy of the film's picture; None if none is kept."""
        rows = self._index.query(
            "SELECT key FROM run_steps WHERE media = ? AND step = ? AND key IS NOT NULL ORDER BY ended_ms DESC LIMIT 1",
            (base.media_sha256, PROXY),
        )
        result = self.store.manifest(str(rows[0][0])) if rows else None
        video = result.outputs.get("video") if result else None
        return video.sha256 if isinstance(video, StoredFile) and self._is_there(video.sha256) else None

    def is_there(self, base: ReviewBase) -> bool:
        """Tell whether the media file is where it was."""
        return Path(base.media).is_file()

    def record(self, base: ReviewBase) -> Job | None:
        """Return the record of a published folder; None if it is gone."""
        return read_job(Path(base.folder))

    def glossary(self, base: ReviewBase) -> Path | None:
        """Return the file with the glossary of the run, else that of the server's settings; None without either."""
        record = self.record(base)
        name = record.settings.get("glossary") if record else None
        return Path(str(name)) if name else self._glossary

    def _find(self, name: str) -> Reviewable:
        """Return the folder of a review. Raises `Refused`."""
        if not is_review(name):
            raise unknown()
        if name not in self._known:
            self.all()
        found = self._known.get(name)
        if found is None:
            note = self.drafts.known(name)
            if note is None:
                raise unknown()
            found = Reviewable(name, Path(note.base.folder), Path(note.base.media))
        return found


def unknown() -> Refused:
    """Return the refusal of a name that no review has."""
    return Refused(404, "review.unknown", "there are no such results", "`GET /api/1/media` lists them")


def read_glossary(path: Path) -> Glossary | None:
    """Return the terms in a file; None if they cannot be read."""
    try:
        return Glossary.read(path)
    except (OSError, DocumentError):
        return None


def rows_of(found: list[Reviewable], drafts: DraftStore) -> Iterator[dict[str, object]]:
    """Yield what a list shows of each review. Reads the record of each."""
    for one in found:
        record = read_job(one.folder) if (one.folder / JOB).is_file() else None
        languages = sorted({
            str(language)
            for step in (record.steps.values() if record else ())
            for facts in (step.get("facts"),)
            if isinstance(facts, dict) and (language := facts.get("language")) and "kind" in facts
        })  # fmt: skip
        yield {
            "id": one.id, "name": one.media.name, "media": str(one.media), "folder": str(one.folder),
            "recipe": record.recipe if record else None, "profile": record.profile if record else None,
            "languages": languages, "published": record is not None, "open": drafts.open_revisions(one.id),
        }  # fmt: skip
