"""The interface of the review page, `/api/1/media`: documents, and the operations on their drafts."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.web.apis.bodies import json_body
from pipeline.web.apis.own_api import API
from pipeline.web.job_queue import Job
from pipeline.web.refused import Refused
from pipeline.web.replies import json_reply, json_text
from pipeline.web.review.document import Surroundings, document
from pipeline.web.review.drafts import OpenDraft
from pipeline.web.review.operation_journal import StaleRevision
from pipeline.web.review.operations import (
    DOUBT,
    SPEAKER,
    Mark,
    Operation,
    OperationConflict,
    Revision,
    SpeakerName,
    to_redo,
    to_undo,
    track_of,
)
from pipeline.web.review.pictures import picture_of
from pipeline.web.review.review_base import is_review
from pipeline.web.review.reviews import Reviews, read_glossary, rows_of, unknown
from pipeline.web.service import Service
from shared.documents.cue import Cue
from shared.documents.media import Media
from shared.mistakes import first_mistake

MEDIA = f"{API}/media"
ONE = f"{MEDIA}/{{id}}"
_BATCH = re.compile(r"[A-Za-z0-9-]{8,64}")
_CUE_ID = re.compile(r"[A-Za-z0-9_.-]{1,48}")
_OPERATIONS = 5000
_DOCUMENTS = 4  # that are kept as text
_LONGEST_MS = 100 * 3_600_000
_LINES, _LINE_LETTERS = 20, 2000
_OPERATION_LIST: TypeAdapter[tuple[Operation, ...]] = TypeAdapter(tuple[Operation, ...])
_T = TypeVar("_T")


class ReviewApi:
    """Handlers of documents and their drafts."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._reviews: Reviews = service.reviews
        # A document of 3 hours takes 0.7 s of CPU, and is asked for by each tab.
        self._documents: dict[str, tuple[tuple[str, Surroundings], str]] = {}

    def routes(self) -> list[Route]:
        """Return the routes of this interface."""
        return [
            Route(MEDIA, self.list_media, methods=["GET"]),
            Route(ONE, self.show_document, methods=["GET"]),
            Route(f"{ONE}/ops", self.show_operations, methods=["GET"]),
            Route(f"{ONE}/ops", self.save_operations, methods=["POST"]),
            Route(f"{ONE}/undo", self.undo, methods=["POST"]),
            Route(f"{ONE}/redo", self.redo, methods=["POST"]),
            Route(f"{ONE}/draft", self.delete_draft, methods=["DELETE"]),
        ]

    async def list_media(self, request: Request) -> Response:
        """Return what can be reviewed: each folder where results were published, the newest first."""
        folder, limit = request.query_params.get("folder"), request.query_params.get("limit", "")
        if limit and not (limit.isdecimal() and len(limit) < 9):
            raise Refused(422, "serve.limit", "`limit` must be a number", param="limit")

        def read() -> list[dict[str, object]]:
            found = [one for one in self._reviews.all() if not folder or str(one.folder) == folder]
            return list(rows_of(found[: int(limit)] if limit else found, self._reviews.drafts))

        return json_reply({"media": await asyncio.to_thread(read)})

    async def show_document(self, request: Request) -> Response:
        """Return the document of a review: tracks, cues with their words, speakers, shots and doubts."""
        name = name_of(request)
        text, etag = await asyncio.to_thread(self._document, name)
        return json_text(text, 200, {"etag": etag})

    async def show_operations(self, request: Request) -> Response:
        """Return the revisions of a draft after the one that `since` names."""
        since = request.query_params.get("since", "0")
        if not (since.isdecimal() and len(since) < 9):
            raise Refused(422, "review.revision", "`since` must be the number of a revision", param="since")
        draft = await self._draft(request)
        revisions = [one.model_dump(mode="json") for one in draft.journal.since(int(since))]
        return json_reply({**_state(draft), "revisions": revisions})

    async def save_operations(self, request: Request) -> Response:
        """Save a batch of operations: 200 once they are on the disk. The same batch sent again is saved once."""
        body = await json_body(request)
        batch = _batch_of(body)
        operations = _operations_of(body.get("ops"))
        draft = await self._draft(request)
        if saved := draft.journal.saved_as(batch):
            return json_reply({**_state(draft), "batch_rev": saved.number})
        _check(operations, draft)
        return await self._change(request, draft, lambda known: draft.journal.append(known, operations, batch))

    async def undo(self, request: Request) -> Response:
        """Take back the newest revision that is not taken back yet."""
        return await self._step(request, lambda draft: draft.journal.undo)

    async def redo(self, request: Request) -> Response:
        """Take back the newest undoing."""
        return await self._step(request, lambda draft: draft.journal.redo)

    async def delete_draft(self, request: Request) -> Response:
        """Forget the operations that are not applied."""
        draft = await self._draft(request)
        if draft.note.applying:
            raise Refused(409, "review.applying", "the draft is being applied", "cancel its job first")
        await asyncio.to_thread(self._reviews.drafts.forget, name_of(request))
        return Response(status_code=204)

    async def _step(
        self, request: Request, method: Callable[[OpenDraft], Callable[[int, str], Revision | None]]
    ) -> Response:
        batch = _batch_of(await json_body(request))
        draft = await self._draft(request)

        def step(known: int) -> Revision:
            made = method(draft)(known, batch)
            if made is None:
                raise Refused(409, "review.nothing", "there is nothing to take back")
            return made

        if saved := draft.journal.saved_as(batch):
            return json_reply({**_state(draft), "batch_rev": saved.number, **_turned_back(saved)})
        return await self._change(request, draft, step)

    async def _change(self, request: Request, draft: OpenDraft, change: Callable[[int], Revision]) -> Response:
        known = known_revision(request, draft)

        def write() -> Revision:
            with self._reviews.drafts.lock:
                draft.begin()
                return change(known)

        try:
            made = await asyncio.to_thread(write)
        except StaleRevision as stale:
            raise stale_revision(draft, stale.missed) from stale
        except OperationConflict as conflict:
            now = conflict.now.model_dump(mode="json") if conflict.now else None
            raise Refused(
                422, "review.conflict", str(conflict), "read the document again",
                more={"id": conflict.operation.id, "now": now},
            ) from conflict  # fmt: skip
        return json_reply({**_state(draft), "batch_rev": made.number, **_turned_back(made)})

    async def _draft(self, request: Request) -> OpenDraft:
        return await asyncio.to_thread(self._reviews.draft, name_of(request))

    def _document(self, name: str) -> tuple[str, str]:
        reviews = self._reviews
        draft = reviews.draft(name)
        base = draft.base
        info = Media.read(draft.content(base.info)) if base.info else None
        film, obstacle = reviews.film(base)
        sound = reviews.store.object_path(base.speech) if base.speech else None
        path = reviews.glossary(base)
        glossary = read_glossary(path) if path else None
        around = Surroundings(
            picture=picture_of(info, "" if film else obstacle), has_proxy=reviews.proxy(base) is not None,
            sound_bytes=sound.stat().st_size if sound and sound.is_file() else None,
            glossary=(path.name, glossary) if path and glossary is not None else None,
            apply=self._apply_state(draft), newer=draft.revision > 0 and reviews.is_newer(draft),
        )  # fmt: skip
        known = self._documents.get(name)
        if known is None or known[0] != (draft.etag, around):
            text = json.dumps(document(draft, around), ensure_ascii=False)
            known = self._documents[name] = ((draft.etag, around), text)
            while len(self._documents) > _DOCUMENTS:
                self._documents.pop(next(iter(self._documents)))
        return known[1], draft.etag

    def _apply_state(self, draft: OpenDraft) -> dict[str, object]:
        """Return the state of the last attempt to apply, and whether another one can begin."""
        name = self._reviews.drafts.last_job(draft.base.id)
        job = self._service.runner.queue.find(name) if name else None
        state = job.state if job else "done" if name else "none"  # it may be so long ago that it is forgotten
        is_there = self._reviews.is_there(draft.base)
        return {
            "state": state, "job": name, "error": job.error if job else None, "possible": is_there,
            "why_not": None if is_there else "the media file is not there any more",
        }  # fmt: skip


def name_of(request: Request) -> str:
    """Return the id in the address. Raises `Refused`."""
    name: str = request.path_params["id"]
    if not is_review(name):
        raise unknown()
    return name


def accepted(request: Request, job: Job, more: dict[str, Any] | None = None) -> Response:
    """Return the reply for a queued job: 202 with its id and place."""
    where = f"{request.scope['root_path']}{API}/jobs/{job.id}"
    return json_reply({"job": job.id, **(more or {})}, 202, {"location": where})


def known_revision(request: Request, draft: OpenDraft) -> int:
    """Return the revision that a request was made for, by its header `If-Match`. Raises `Refused`."""
    given = request.headers.get("if-match", "").strip()
    if not given:
        text = "expected the header `If-Match` with the `etag` of the document"
        raise Refused(428, "review.no-revision", text, "send it with each change")
    base, _, number = given.removeprefix("W/").strip('"').rpartition(".")
    if base != draft.base.digest or not (number.isdecimal() and len(number) < 9):
        raise stale_revision(draft, None)
    if int(number) > draft.revision:
        raise stale_revision(draft, None)
    return int(number)


def stale_revision(draft: OpenDraft, missed: Sequence[Revision] | None) -> Refused:
    """Return the refusal of a change that was made for another state of the draft."""
    revisions = None if missed is None else [one.model_dump(mode="json") for one in missed]
    text = "the draft has changed since" if missed is not None else "the files were made again since"
    hint = "apply the missed revisions" if missed is not None else "read the document again"
    return Refused(412, "review.stale", text, hint, more={**_state(draft), "missed": revisions})


def _state(draft: OpenDraft) -> dict[str, Any]:
    revisions = draft.journal.revisions
    undo, redo = to_undo(revisions), to_redo(revisions)
    return {
        "rev": draft.revision, "etag": draft.etag, "undo": undo.number if undo else None,
        "redo": redo.number if redo else None, "open": draft.open_revisions,
        "saved_ms": draft.journal.saved_ms,
    }  # fmt: skip


def _turned_back(made: Revision) -> dict[str, Any]:
    if made.undoes is None and made.redoes is None:
        return {}
    operations = [operation.model_dump(mode="json") for operation in made.operations]
    return {"operations": operations, "items": [operation.id for operation in made.operations]}


def _batch_of(body: dict[str, Any]) -> str:
    batch = body.get("batch")
    if not isinstance(batch, str) or not _BATCH.fullmatch(batch):
        text = "`batch` must be a name of 8 to 64 letters and digits that the client makes for these operations"
        raise Refused(422, "review.batch", text, param="batch")
    return batch


def _operations_of(given: object) -> tuple[Operation, ...]:
    if not isinstance(given, list) or not given:
        raise Refused(422, "review.operation", "`ops` must be a list of operations", param="ops")
    if len(given) > _OPERATIONS:
        text = f"a batch holds at most {_OPERATIONS} operations, found {len(given)}"
        raise Refused(413, "review.too-many", text, "send them in several batches")
    try:
        return _OPERATION_LIST.validate_python(given)
    except ValidationError as error:
        raise Refused(422, "review.operation", f"`ops.{first_mistake(error)}`", param="ops") from error


def _check(operations: Sequence[Operation], draft: OpenDraft) -> None:
    """Raise `Refused` for an operation that no page would send."""
    tracks = {track.id for track in draft.base.tracks}
    for operation in operations:
        if mistake := _mistake(operation, tracks):
            raise Refused(422, "review.operation", f"{operation.id}: {mistake}", more={"id": operation.id})


def _mistake(operation: Operation, tracks: set[str]) -> str | None:
    kind, rest = track_of(operation.id), operation.id.partition("/")[2]
    expected = SpeakerName if kind == SPEAKER else Mark if kind == DOUBT else Cue
    if not rest or not (kind in {SPEAKER, DOUBT} or (kind in tracks and _CUE_ID.fullmatch(rest))):
        return f"expected an id like {next(iter(sorted(tracks)), SPEAKER)}/12, speaker/NAME or doubt/ID"
    if any(item is not None and not isinstance(item, expected) for item in (operation.before, operation.after)):
        return f"the content is not that of a {kind if expected is not Cue else 'cue'}"
    cue = operation.after
    if not isinstance(cue, Cue):
        return None
    if not 0 <= cue.start_ms < cue.end_ms <= _LONGEST_MS:
        return "a cue ends after it begins, and begins at 0 at the earliest"
    if not 0 < len(cue.lines) <= _LINES or any(len(line) > _LINE_LETTERS or "\n" in line for line in cue.lines):
        return f"a cue has 1 to {_LINES} lines of at most {_LINE_LETTERS} characters"
    return None
