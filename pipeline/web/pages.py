"""Serves the pages: files of the folder `static`, which hold no data of a user and are the same for every user.

A page asks the interface `/api/1` for all that it shows. Every file is read when it is asked for, so that an edited one
is seen by a reload. Its entity tag is the digest of its content.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from html import escape
from pathlib import Path
from string import Template

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from pipeline.web.refused import Refused

STATIC = Path(__file__).with_name("static")
PAGES: Mapping[str, str] = {
    "/": "queue/page.html",
    "/login": "login/page.html",
    "/review/{id}": "review/page.html",
}
"""The file of each address. Links of a page are relative, so that they hold below any base path."""

_KINDS = {
    ".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8", ".toml": "text/plain; charset=utf-8",
}  # fmt: skip
# An address says nothing of what a page shows, and a page that is not served any more must not stay in a browser.
_PAGE_HEADERS = {"cache-control": "no-store"}
_CODE = re.compile("`([^`]*)`")
_FILE_HEADERS = {"cache-control": "no-cache"}  # kept, and asked for again with its entity tag


class Pages:
    """Handlers of the pages and of the files that they need. `has_token`: the page asks for a token."""

    def __init__(self, *, has_token: bool) -> None:
        self._has_token = has_token

    def routes(self) -> list[Route]:
        """Return the routes of the pages."""
        pages: dict[str, Callable[[Request], Awaitable[Response]]]
        pages = {path: partial(self.show_page, file) for path, file in PAGES.items()}
        if not self._has_token:
            pages["/login"] = self.leave_login
        shown = [Route(path, handler, methods=["GET"]) for path, handler in pages.items()]
        return [*shown, Route("/static/{name:path}", self.show_file, methods=["GET"])]

    async def show_page(self, file: str, request: Request) -> Response:
        """Return the document of a page."""
        content = await asyncio.to_thread(_read, file)
        return Response(content, headers=_PAGE_HEADERS, media_type=_KINDS[".html"])

    async def leave_login(self, request: Request) -> Response:
        """Redirect the login page to the queue: this server asks for no token."""
        return RedirectResponse(f"{request.scope['root_path']}/", 303)

    async def show_file(self, request: Request) -> Response:
        """Return a file, or 304 if the browser has it."""
        name = request.path_params["name"]
        content = await asyncio.to_thread(_read, name)
        tag = f'"{hashlib.sha256(content).hexdigest()}"'
        headers = {**_FILE_HEADERS, "etag": tag}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=_KINDS[Path(name).suffix])


def refusal_page(refused: Refused, root: str) -> Response:
    """Return a refusal as a page, for a person who opened an address of the server at `root`."""
    message = escape(refused.message[:1].upper() + refused.message[1:])
    page = Template(_read("refusal.html").decode()).substitute(
        root=root, message=message.replace("`", ""), sentence=_CODE.sub(r"<code>\1</code>", message),
        hint=_CODE.sub(r"<code>\1</code>", escape(refused.hint or "")),
    )  # fmt: skip
    return Response(page, refused.status, _PAGE_HEADERS, media_type=_KINDS[".html"])


def _read(name: str) -> bytes:
    """Return the content of a file in `static`. Raises `Refused`."""
    try:
        path = (STATIC / name).resolve()
        if path.suffix in _KINDS and path.is_relative_to(STATIC):
            return path.read_bytes()
    except (OSError, ValueError):
        pass
    raise Refused(404, "serve.http", "there is no such page")
