"""Stands before every route: lets in what `Access` lets in, limits bodies, and adds the headers of every reply."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from pipeline.web.access import CLIENT, Access, RequestFacts
from pipeline.web.refused import Refused
from pipeline.web.replies import SAFE_HEADERS, refusal_reply

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Room = Callable[[int, int], Refused | None]
"""Returns why a body of so many bytes, written in so many copies, is not taken; None if it is."""
Limit = Callable[[int], Refused | None]
"""Returns why a body of so many bytes is not taken; None if it is."""

_FORMS = ("/v1/", "/asr", "/detect-language", "/hooks/", "/api/1/ocr")
_UPLOADS = "/api/1/uploads/"
_JSON = "application/json"
_PIECES = "application/offset+octet-stream"
_IN_MEMORY_BYTES = 16 << 20
"""The largest body that is held in memory, such as JSON; others go to the disk as they arrive. 5,000 operations of the
review page take about 4 MiB."""
_FORM_COPIES = 2  # a form is first written as it comes, and then to its place
_AT_ONCE = 500  # requests that are answered; a common limit is 1,024 open files for a process


class Guard:
    """ASGI application around another one. `base_path` is where a proxy shows the server, as `/reel`; `room` decides
    about bodies by their length."""

    def __init__(self, app: App, access: Access, base_path: str, room: Room) -> None:
        self._app, self._access, self.base_path, self._room = app, access, base_path, room
        self._at_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = self._own_path(scope)
        CLIENT.set(_client_of(scope))
        headers = {key.decode("latin1"): value.decode("latin1") for key, value in scope["headers"]}

        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                own = {key.decode("latin1").lower() for key, _ in given}  # a report brings a policy for its style
                added = [(key.encode(), value.encode()) for key, value in SAFE_HEADERS.items() if key not in own]
                message = {**message, "headers": [*given, *added]}
            await send(message)

        if refused := self._refusal(scope, path, headers):
            reply = self._to_login(scope, path, refused, headers) or refusal_reply(path, refused)
            await reply(scope, receive, safely)
        elif self.base_path and scope["path"] == self.base_path:
            # Without the slash, the relative links of a page would lead out of the base path.
            await RedirectResponse(f"{self.base_path}/", 308)(scope, receive, safely)
        elif self._at_work >= _AT_ONCE:
            text = f"the server is answering {_AT_ONCE} requests already"
            await refusal_reply(path, Refused(503, "serve.full", text, retry_after_s=5))(scope, receive, safely)
        else:
            self._at_work += 1
            try:
                await self._app(scope, _counted(receive, self._limit(path, headers)), safely)
            finally:
                self._at_work -= 1

    def _own_path(self, scope: Scope) -> str:
        """Return the path below the base path, which a proxy may have taken away already."""
        path: str = scope["path"]
        base = self.base_path
        if base and path != base and not path.startswith(f"{base}/"):
            scope["path"] = f"{base}{path}"
        elif base:
            path = path.removeprefix(base) or "/"
        scope["root_path"] = base
        return path

    def _refusal(self, scope: Scope, path: str, headers: dict[str, str]) -> Refused | None:
        query = scope["query_string"].decode("latin1")
        facts = RequestFacts(scope["method"], path, query, headers, _client_of(scope), scope["scheme"])
        if denied := self._access.denial(facts, time.monotonic()):
            return Refused(denied.status, denied.code, denied.message, denied.hint)
        if has_body(headers) and not path.startswith(_FORMS):
            expected = _PIECES if path.startswith(_UPLOADS) else _JSON
            if (kind := _kind_of(headers)) != expected:
                return Refused(415, "serve.content-type", f"the body is `{kind}`, expected `{expected}`")
        length = headers.get("content-length", "")
        return self._limit(path, headers)(int(length)) if length.isascii() and length.isdigit() else None

    def _limit(self, path: str, headers: dict[str, str]) -> Limit:
        """Return the limit for the body of a request."""
        if path.startswith(_UPLOADS):
            return lambda size: self._room(size, 1)
        if path.startswith(_FORMS) and _kind_of(headers) == "multipart/form-data":
            return lambda size: self._room(size, _FORM_COPIES)
        return _small

    def _to_login(self, scope: Scope, path: str, refused: Refused, headers: dict[str, str]) -> Response | None:
        """Return where a browser that opens a page asks for the token; None for a program."""
        if refused.status != 401 or scope["method"] != "GET" or "text/html" not in headers.get("accept", ""):
            return None
        query = scope["query_string"].decode("latin1")
        wanted = quote(f"{path}?{query}" if query else path, safe="")
        return RedirectResponse(f"{self.base_path}/login?next={wanted}", 303, {"cache-control": "no-store"})


def _client_of(scope: Scope) -> str:
    """Return the address that a request comes from; empty if it has none."""
    return str((scope.get("client") or ("", 0))[0])


def has_body(headers: dict[str, str]) -> bool:
    """Tell whether a request brings a body."""
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _kind_of(headers: dict[str, str]) -> str:
    """Return the type of a body, without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _small(size: int) -> Refused | None:
    """Return why a body that is kept in memory is not taken; None if it is."""
    if size <= _IN_MEMORY_BYTES:
        return None
    return Refused(413, "serve.too-large", f"the body has more than {_IN_MEMORY_BYTES} bytes, the most for its kind")


def _counted(receive: Receive, limit: Limit) -> Receive:
    """Return `receive` with a limit, for a body that comes without its length."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken and (refused := limit(taken)):
            raise refused
        return message

    return counted
