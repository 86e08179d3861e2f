"""Uploads that may be cut off, `/api/1/uploads`: the protocol tus 1.0 with its extensions creation and termination."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.web.refused import Refused
from pipeline.web.service import Service
from pipeline.web.uploads import safe_label

_ROOT = "/api/1/uploads"
_VERSION = "1.0.0"
_EXTENSIONS = "creation,termination"
_PIECE = 1 << 20


class UploadsApi:
    """Handlers of `/api/1/uploads`."""

    def __init__(self, service: Service) -> None:
        self._partial = service.partial

    def routes(self) -> list[Route]:
        """Return the routes of this interface."""
        one = f"{_ROOT}/{{id}}"
        return [
            Route(_ROOT, self.create, methods=["POST"]),
            Route(_ROOT, self.options, methods=["OPTIONS"]),
            Route(one, self.tell, methods=["HEAD"]),
            Route(one, self.append, methods=["PATCH"]),
            Route(one, self.delete, methods=["DELETE"]),
        ]

    async def options(self, request: Request) -> Response:
        """Tell a client what it may use."""
        return _reply(204, {"tus-version": _VERSION, "tus-extension": _EXTENSIONS})

    async def create(self, request: Request) -> Response:
        """Begin an upload of `Upload-Length` bytes; its address is in `Location`."""
        _check_version(request)
        length = _number(request, "upload-length", 411)
        name = self._partial.create(length, _label(request.headers.get("upload-metadata", "")))
        await asyncio.to_thread(self._partial.complete, name)
        return _reply(201, {"location": f"{request.scope['root_path']}{_ROOT}/{name}"})

    async def tell(self, request: Request) -> Response:
        """Tell how much has come."""
        name = request.path_params["id"]
        with contextlib.suppress(Refused), self._partial.writing(name, self._partial.offset(name)):
            await asyncio.to_thread(self._partial.complete, name)  # a server may have ended before it did
        offset, length = self._partial.offset(name), self._partial.note(name).length
        return _reply(200, {"upload-offset": str(offset), "upload-length": str(length)})

    async def append(self, request: Request) -> Response:
        """Append the body, from the byte `Upload-Offset` on."""
        _check_version(request)
        if request.headers.get("content-type") != "application/offset+octet-stream":
            raise Refused(415, "serve.content-type", "the body must be `application/offset+octet-stream`")
        name = request.path_params["id"]
        offset = _number(request, "upload-offset", 400)
        with self._partial.writing(name, offset):
            pieces = bytearray()
            try:
                async for piece in request.stream():
                    pieces += piece
                    if len(pieces) >= _PIECE:
                        offset = await asyncio.to_thread(self._partial.append, name, bytes(pieces))
                        pieces.clear()
            except ClientDisconnect:
                pass  # what has come is kept: the client goes on from there
            if pieces:
                offset = await asyncio.to_thread(self._partial.append, name, bytes(pieces))
            await asyncio.to_thread(self._partial.complete, name)
        return _reply(204, {"upload-offset": str(offset)})

    async def delete(self, request: Request) -> Response:
        """Forget an upload."""
        _check_version(request)
        self._partial.delete(request.path_params["id"])
        return _reply(204, {})


def _reply(status: int, headers: dict[str, str]) -> Response:
    return Response(b"", status, {"tus-resumable": _VERSION, "cache-control": "no-store", **headers})


def _check_version(request: Request) -> None:
    if request.headers.get("tus-resumable") != _VERSION:
        raise Refused(412, "serve.tus", f"expected the header `Tus-Resumable: {_VERSION}`")


def _number(request: Request, name: str, status: int) -> int:
    text = request.headers.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise Refused(status, "serve.header", f"expected a number of bytes in the header `{name}`")
    return int(text)


def _label(metadata: str) -> str:
    """Return the file's name from `Upload-Metadata`: pairs of a key and a value in base64, with commas between."""
    for pair in metadata.split(","):
        key, _, value = pair.strip().partition(" ")
        if key in {"filename", "name"}:
            try:
                return safe_label(base64.b64decode(value, validate=True).decode())
            except (binascii.Error, UnicodeDecodeError):
                break
    return "upload"
