"""The files of a review: its sound, the peaks of that, single pictures, the film or a copy of it, and what was
published."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from pipeline.base.errors import BadInput
from pipeline.publishing.beside import place_of
from pipeline.web.apis.files_api import leave_out_bad_range
from pipeline.web.apis.review_api import ONE, accepted, name_of
from pipeline.web.job_maker import Ordered
from pipeline.web.refused import Refused
from pipeline.web.review.drafts import OpenDraft
from pipeline.web.review.pictures import PROXY, Picture, picture_of
from pipeline.web.service import Service
from shared.documents.media import Media

_STILLS_BACK = 3  # seconds; the tracks of a film end together as a rule, and containers round
_PRIORITY = 1.0
_FOR_EVER = "private, max-age=31536000, immutable"


class ReviewFilesApi:
    """Handlers of the files of a review."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._reviews, self._made = service.reviews, service.made

    def routes(self) -> list[Route]:
        """Return the routes of this interface."""
        methods = ["GET", "HEAD"]
        return [
            Route(f"{ONE}/sound", self.sound, methods=methods),
            Route(f"{ONE}/peaks", self.peaks, methods=methods),
            Route(f"{ONE}/stills/{{number}}", self.still, methods=methods),
            Route(f"{ONE}/picture", self.picture, methods=methods),
            Route(f"{ONE}/proxy", self.proxy, methods=methods),
            Route(f"{ONE}/proxy", self.make_proxy, methods=["POST"]),
            Route(f"{ONE}/files/{{name}}", self.file, methods=methods),
        ]

    async def sound(self, request: Request) -> Response:
        """Return the sound as the recogniser heard it, whole or by ranges: WAV with 16 kHz."""
        draft = await self._draft(request)
        digest, path = await asyncio.to_thread(self._sound, draft)
        return _file(request, path, digest, "audio/wav", _FOR_EVER)

    async def peaks(self, request: Request) -> Response:
        """Return the peaks of the sound in the format of audiowaveform, version 2: one for each 10 ms."""
        draft = await self._draft(request)
        digest, path = await asyncio.to_thread(self._sound, draft)
        try:
            made = await asyncio.wrap_future(self._made.peaks(digest, path))
        except BadInput as error:
            raise Refused.by(error) from error
        if made is None:
            raise _no_sound(draft)
        return _file(request, made, digest, "application/octet-stream", _FOR_EVER)

    async def still(self, request: Request) -> Response:
        """Return one picture of the film, 320 pixels wide: the one at the second `number`, or the last before it where
        the sound is longer than the picture."""
        text = request.path_params["number"]
        draft = await self._draft(request)
        info, film, picture = await asyncio.to_thread(self._picture, draft)
        is_there = text.isdecimal() and len(text) < 7 and int(text) < picture.stills
        if info is None or film is None or not is_there:
            raise Refused(404, "review.no-still", "there is no such picture", picture.why or None)
        digest = draft.base.media_sha256
        for number in range(int(text), max(int(text) - _STILLS_BACK, -1), -1):
            if made := await asyncio.wrap_future(self._made.still(digest, film, info, number)):
                return _file(request, made, f"{digest}-{number}", "image/jpeg", _FOR_EVER)
        raise Refused(404, "review.no-still", "the film has no picture there")

    async def picture(self, request: Request) -> Response:
        """Return the film itself, whole or by ranges, if a browser may play its picture."""
        draft = await self._draft(request)
        _, film, picture = await asyncio.to_thread(self._picture, draft)
        if picture.tier != "original" or film is None:
            raise Refused(404, "review.no-picture", "the film is not shown by itself", picture.why)
        return _file(request, film, draft.base.media_sha256, str(picture.type), "private, no-cache")

    async def proxy(self, request: Request) -> Response:
        """Return the small copy of the film's picture that browsers play, whole or by ranges."""
        draft = await self._draft(request)
        digest = await asyncio.to_thread(self._reviews.proxy, draft.base)
        if digest is None:
            raise Refused(404, "review.no-proxy", "there is no copy of the picture", "send POST to have it made")
        return _file(request, self._reviews.store.object_path(digest), digest, "video/mp4", "private, no-cache")

    async def make_proxy(self, request: Request) -> Response:
        """Queue the job that makes a small copy of the film's picture: 202 with its id. A person waits for it, so it
        goes before others."""
        draft = await self._draft(request)
        _, film, picture = await asyncio.to_thread(self._picture, draft)
        if film is None or picture.tier == "none":
            raise Refused(409, "review.no-picture", "there is no picture that could be copied", picture.why)
        maker, place = self._service.maker, self._service.media_place
        ordered = Ordered(film, Path(draft.base.media).name, place, "review", _PRIORITY, draft.base.media_sha256)
        return accepted(request, self._service.submit(maker.job(ordered, maker.overrides({"recipe": PROXY}))))

    async def file(self, request: Request) -> Response:
        """Return a published file, whole or by ranges."""
        draft, name = await self._draft(request), request.path_params["name"]
        record = await asyncio.to_thread(self._reviews.record, draft.base)
        found = {Path(one).name: one for one in (record.files if record else ())}
        path = place_of(Path(draft.base.folder), found[name]) if name in found else None
        if record is None or path is None or not path.is_file():
            raise Refused(404, "serve.no-file", "there is no such published file")
        reply = _file(request, path, None, None, "private, no-cache")
        reply.headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
        return reply

    async def _draft(self, request: Request) -> OpenDraft:
        return await asyncio.to_thread(self._reviews.draft, name_of(request))

    def _sound(self, draft: OpenDraft) -> tuple[str, Path]:
        digest = draft.base.speech or self._reviews.base(draft.base.id).speech  # it may have been made again
        path = self._reviews.store.object_path(digest) if digest else None
        if digest is None or path is None or not path.is_file():
            raise _no_sound(draft)
        return digest, path

    def _picture(self, draft: OpenDraft) -> tuple[Media | None, Path | None, Picture]:
        info = Media.read(draft.content(draft.base.info)) if draft.base.info else None
        film, obstacle = self._reviews.film(draft.base)
        return info, film, picture_of(info, obstacle)


def _no_sound(draft: OpenDraft) -> Refused:
    film = shlex.quote(draft.base.media)
    hint = f"`./reel run {film} --only demux` makes it again" if draft.base.has_sound else None
    return Refused(404, "review.no-sound", "the sound that the recogniser heard is not kept any more", hint)


def _file(request: Request, path: Path, digest: str | None, kind: str | None, cache: str) -> FileResponse:
    headers = {"cache-control": cache} | ({"etag": f'"{digest}"'} if digest else {})
    leave_out_bad_range(request)
    return FileResponse(path, headers=headers, media_type=kind)
