"""Corrections of the review page become files: apply a draft, see what that changed, list and drop corrections."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.base.errors import BadInput
from pipeline.publishing.edits import changed_files
from pipeline.publishing.placed_pins import PlacedPin, placed_pins
from pipeline.web.apis.bodies import json_body
from pipeline.web.apis.review_api import ONE, accepted, known_revision, name_of, stale_revision
from pipeline.web.refused import Refused
from pipeline.web.replies import json_reply
from pipeline.web.review.applying import WINNERS, apply_draft, drop_order
from pipeline.web.review.changes import Change, changes
from pipeline.web.review.drafts import Applying, DraftNote, OpenDraft
from pipeline.web.review.glossary_line import line_for, write_term
from pipeline.web.review.review_base import ReviewBase, ReviewTrack
from pipeline.web.service import Service
from shared.documents.base import DocumentError
from shared.documents.cue import CueSheet
from shared.mistakes import first_mistake
from shared.text.glossary import Term


class ReviewApplyApi:
    """Handlers that apply and drop corrections."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._reviews, self._edits = service.reviews, service.edits

    def routes(self) -> list[Route]:
        """Return the routes of this interface."""
        return [
            Route(f"{ONE}/apply", self.apply, methods=["POST"]),
            Route(f"{ONE}/changes", self.show_changes, methods=["GET"]),
            Route(f"{ONE}/edits", self.list_edits, methods=["GET"]),
            Route(f"{ONE}/edits", self.drop_edits, methods=["DELETE"]),
            Route(f"{ONE}/glossary", self.add_term, methods=["POST"]),
        ]

    async def apply(self, request: Request) -> Response:
        """Make the files again with the corrections of the draft: 202 with the job, 409 where a file was edited."""
        body = await json_body(request)
        on_disk = body.get("on_disk")
        if on_disk is not None and on_disk not in WINNERS:
            raise Refused(422, "review.on-disk", f"`on_disk` is one of {', '.join(WINNERS)}", param="on_disk")
        draft = await self._draft(request)
        known = known_revision(request, draft)
        if known != draft.revision:
            raise stale_revision(draft, draft.journal.since(known))
        reviews = self._reviews
        applied = await asyncio.to_thread(apply_draft, draft, reviews, self._edits, on_disk)
        job = self._service.submit(applied.job)
        attempt = applied.attempt.model_copy(update={"job": job.id})
        await asyncio.to_thread(draft.save, draft.note.model_copy(update={"applying": attempt, "job": job.id}))
        return accepted(request, job, {"rev": draft.revision})

    async def show_changes(self, request: Request) -> Response:
        """Return what the last applied draft has changed, and the steps that its job ran."""
        name = name_of(request)
        note = await asyncio.to_thread(self._reviews.drafts.last_applied, name)
        attempt = note.attempt if note else None
        if note is None or attempt is None:
            raise Refused(404, "review.not-applied", "nothing was applied yet")
        state = self._state(attempt)
        data: dict[str, Any] = {"job": attempt.job, "state": state, "rev": attempt.revision, "changes": None}
        if state == "done":
            found = await asyncio.to_thread(self._changes, note, attempt)
            data |= {
                "changes": [_change(track, one) for track, one in found],
                "counts": {who: sum(one.by == who for _, one in found) for who in ("you", "layout")},
            }
        return json_reply(data)

    async def list_edits(self, request: Request) -> Response:
        """Return the corrections of the media file, as `reel edits list` does."""
        return json_reply(await asyncio.to_thread(self._edits_of, (await self._draft(request)).base))

    async def drop_edits(self, request: Request) -> Response:
        """Drop all corrections of the media file, or single pins, and make the files again: 202 with the job."""
        draft, names = await self._draft(request), request.query_params.getlist("pin")
        pins = await asyncio.to_thread(self._pins_named, draft.base, names) if names else None
        folder = self._reviews.drafts.root / "orders"
        new = await asyncio.to_thread(drop_order, draft.base, self._reviews, folder, pins)
        return accepted(request, self._service.submit(new))

    async def add_term(self, request: Request) -> Response:
        """Add a term to the glossary of the run, or with `confirm` false tell the line that would be added."""
        body = await json_body(request)
        try:
            term = Term.model_validate(body.get("term"))
        except ValidationError as error:
            raise Refused(422, "glossary.invalid", f"`term.{first_mistake(error)}`", param="term") from error
        draft = await self._draft(request)
        path = await asyncio.to_thread(self._reviews.glossary, draft.base)
        if path is None:
            hint = "run the file with `--glossary FILE` once"
            raise Refused(409, "review.no-glossary", "the run had no glossary", hint)
        is_confirmed = body.get("confirm") is True
        try:
            line = await asyncio.to_thread(write_term if is_confirmed else line_for, path, term)
        except BadInput as error:
            raise Refused.by(error, 409 if error.code == "glossary.known" else 422) from error
        return json_reply({"file": str(path), "line": line, "written": is_confirmed})

    async def _draft(self, request: Request) -> OpenDraft:
        return await asyncio.to_thread(self._reviews.draft, name_of(request))

    def _state(self, attempt: Applying) -> str:
        try:
            return self._service.runner.queue.job(attempt.job).state
        except KeyError:
            return "done"  # it is so long ago that the job is forgotten

    def _changes(self, note: DraftNote, attempt: Applying) -> list[tuple[str, Change]]:
        """Return the changes by track. The sheets before and after lie in the draft or among the results."""
        now = self._reviews.base(note.base.id)
        sheets = {track.id: track.sheet for track in now.tracks}
        folder = self._reviews.drafts.root / note.base.id
        found = []
        for track in note.base.tracks:
            if track.id not in sheets or track.id not in attempt.sheets:
                continue
            digests = (track.sheet, attempt.sheets[track.id], sheets[track.id])
            before, wanted, after = (self._sheet(folder, track, digest) for digest in digests)
            found += [(track.id, one) for one in changes(before.cues, wanted.cues, after.cues)]
        return sorted(found, key=lambda one: one[1].start_ms)

    def _sheet(self, folder: Path, track: ReviewTrack, digest: str) -> CueSheet:
        own = folder / digest
        try:
            return track.read(own if own.is_file() else self._reviews.store.object_path(digest))
        except (OSError, DocumentError) as error:
            raise Refused(410, "review.gone", f"the sheet is not kept any more: {error}") from error

    def _edits_of(self, base: ReviewBase) -> dict[str, Any]:
        edits, store = self._edits.of(base.media_sha256), self._reviews.store
        waiting = changed_files(Path(base.folder), edits, store)
        return {
            "edits": [{"file": one.name, "corrects": one.origin, "language": one.language} for one in edits],
            "waiting": [one.path.name for one in waiting],
            "pins": [_pin(one) for one in placed_pins(Path(base.folder), edits, store)],
        }

    def _pins_named(self, base: ReviewBase, names: list[str]) -> dict[str, tuple[str, ...]]:
        known = placed_pins(Path(base.folder), self._edits.of(base.media_sha256), self._reviews.store)
        by_id = {placed.pin.id: placed for placed in known}
        if unknown := [name for name in names if name not in by_id]:
            raise Refused(404, "edits.unknown", f"there is no correction {unknown[0]}")
        found: dict[str, tuple[str, ...]] = {}
        for name in names:
            found[by_id[name].edit.sha256] = (*found.get(by_id[name].edit.sha256, ()), name)
        return found


def _change(track: str, change: Change) -> dict[str, Any]:
    sides = {side: [cue.model_dump(mode="json") for cue in cues] for side, cues in
             (("before", change.before), ("after", change.after))}  # fmt: skip
    return {"track": track, "start_ms": change.start_ms, "end_ms": change.end_ms, **sides, "by": change.by}


def _pin(placed: PlacedPin) -> dict[str, Any]:
    return {"file": placed.edit.name, "language": placed.edit.language, **placed.pin.model_dump(mode="json")}
