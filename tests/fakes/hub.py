"""A model hub on the loopback, over real HTTP: two origins as the real one has them, its rules about who may read
what, and every fault that a test asks for."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

LARGE = (".bin", ".safetensors", ".pt", ".nemo")  # kept apart by the real hub, and delivered by another origin
_RESOLVE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")
_API = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)(?:/(?P<verb>[a-z-]+)(?:/(?P<revision>[^/?]+))?)?")


@dataclass
class Fault:
    """Fault of the next `times` requests whose path holds `match`. `of_ranges`: only requests for a range with an end
    count, as one of several connections sends them."""

    match: str = ""
    times: int = 1
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    bytes_per_s: int | None = None
    of_ranges: bool = False


@dataclass
class Hub:
    """`files` by path (`org/name/resolve/<revision>/<file>`); `cut_after` ends one answer early, `wrong` lies once."""

    files: Mapping[str, bytes]
    address: str = ""
    elsewhere: str = ""  # another origin; with `redirects`, large files are delivered by it
    redirects: bool = False
    cut_after: int | None = None
    wrong: bytes | None = None
    status: int | None = None
    honours_ranges: bool = True
    users: dict[str, str] = field(default_factory=dict)  # by token
    gated: dict[str, set[str]] = field(default_factory=dict)  # repository to users that have accepted its terms
    disabled: set[str] = field(default_factory=set)
    renamed: dict[str, str] = field(default_factory=dict)  # a repository's old name to its new one
    narrow: set[str] = field(default_factory=set)  # tokens without the right to read what is gated
    faults: list[Fault] = field(default_factory=list)
    chunk_bytes: int = 1 << 16
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    authorised: list[tuple[str, str]] = field(default_factory=list)  # origin and path of requests that showed a token
    bytes_sent: int = 0
    bytes_by_path: dict[str, int] = field(default_factory=dict)
    main: dict[str, str] = field(default_factory=dict)  # repository to what `main` is; else its first revision
    page_size: int = 1000
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def repositories(self) -> dict[str, dict[str, dict[str, bytes]]]:
        """Return repository, revision and file to content."""
        found: dict[str, dict[str, dict[str, bytes]]] = {}
        for path, content in self.files.items():
            if (part := _RESOLVE.fullmatch("/" + path)) is not None:
                found.setdefault(part["repo"], {}).setdefault(part["revision"], {})[part["file"]] = content
        return found

    def answer(self, request: http.server.BaseHTTPRequestHandler, origin: str) -> None:
        wanted = request.headers.get("Range")
        path = urllib.parse.unquote(request.path.partition("?")[0])
        with self._guard:
            self.requests.append((path, wanted))
            if request.headers.get("Authorization"):
                self.authorised.append((origin, path))
        fault = self._fault(path, wanted)
        if fault.status or self.status:
            _refuse(request, fault.status or self.status or 500, "", "told to", fault.headers)
        elif origin == self.elsewhere:
            self._deliver(request, path, wanted, fault)
        elif old := next((old for old in self.renamed if f"/{old}/" in path), ""):
            _head(request, 307, {"Location": request.path.replace(old, self.renamed[old], 1)}, 0)
        elif (part := _RESOLVE.fullmatch(path)) is not None:
            if self._allowed(request, part["repo"], wants_bytes=True):
                if self.redirects and path.endswith(LARGE):
                    _head(request, 302, {"Location": f"{self.elsewhere}{request.path}?signature=1"}, 0)
                else:
                    self._deliver(request, path, wanted, fault)
        elif (part := _API.fullmatch(path)) is not None and part["repo"] in self.repositories():
            if self._allowed(request, part["repo"], wants_bytes=part["verb"] == "auth-check"):
                self._tell(request, part["repo"], part["verb"] or "", part["revision"] or "main")
        else:
            self._deliver(request, path, wanted, fault)

    def _fault(self, path: str, wanted: str | None) -> Fault:
        has_end = bool(wanted) and not str(wanted).endswith("-")
        with self._guard:
            for fault in self.faults:
                if fault.times > 0 and fault.match in path and (has_end or not fault.of_ranges):
                    fault.times -= 1
                    return fault
        return Fault()

    def _allowed(self, request: http.server.BaseHTTPRequestHandler, repo: str, *, wants_bytes: bool) -> bool:
        """Apply the real hub's rules: a wrong token is refused everywhere, terms are asked for where bytes are
        wanted."""
        token = (request.headers.get("Authorization") or "").removeprefix("Bearer ")
        user = self.users.get(token)
        if token and user is None:
            _refuse(request, 401, "", "Invalid credentials in Authorization header")
        elif repo not in self.repositories():
            _refuse(request, 404 if user else 401, "RepoNotFound", "Repository not found")
        elif repo in self.disabled:
            _refuse(request, 403, "", "Access to this resource is disabled.")
        elif wants_bytes and repo in self.gated and token in self.narrow:
            _refuse(request, 403, "", "Please enable access to public gated repositories in your token settings")
        elif wants_bytes and repo in self.gated and user not in self.gated[repo]:
            _refuse(request, 403 if user else 401, "GatedRepo", f"Access to model {repo} is restricted")
        else:
            return True
        return False

    def _tell(self, request: http.server.BaseHTTPRequestHandler, repo: str, verb: str, revision: str) -> None:
        revisions = self.repositories()[repo]
        sha = self.main.get(repo, next(iter(revisions))) if revision == "main" else revision
        if sha not in revisions:
            return _refuse(request, 404, "RevisionNotFound", f"Invalid rev id: {revision}")
        headers: dict[str, str] = {}
        told: object = {"id": repo, "sha": sha}
        if verb == "tree":
            query = urllib.parse.parse_qs(request.path.partition("?")[2])
            start = int(query.get("cursor", ["0"])[0])
            every = [_entry(name, content) for name, content in sorted(revisions[sha].items())]
            told = every[start : start + self.page_size]
            if start + self.page_size < len(every):
                onward = f"{self.address}/api/models/{repo}/tree/{sha}?cursor={start + self.page_size}"
                headers["Link"] = f'<{onward}>; rel="next"'
        body = json.dumps(told).encode()
        _head(request, 200, headers, len(body))
        request.wfile.write(body)
        return None

    def _deliver(
        self, request: http.server.BaseHTTPRequestHandler, path: str, wanted: str | None, fault: Fault
    ) -> None:
        body = self.files.get(path.lstrip("/"))
        if body is None:
            return _refuse(request, 404, "EntryNotFound" if _RESOLVE.fullmatch(path) else "", "Entry not found")
        if self.wrong is not None:
            body, self.wrong = self.wrong, None
        ranged = bool(wanted) and self.honours_ranges
        first, _, last = (wanted or "").removeprefix("bytes=").partition("-")
        part = body[int(first) : int(last) + 1 if last else None] if ranged else body
        _head(request, 206 if ranged else 200, {"Accept-Ranges": "bytes"} if self.honours_ranges else {}, len(part))
        cut_after, self.cut_after = self.cut_after if fault.cut_after is None else fault.cut_after, None
        if cut_after is not None:
            part = part[:cut_after]
            request.close_connection = True
        step = max(1, fault.bytes_per_s // 20) if fault.bytes_per_s else self.chunk_bytes
        for begin in range(0, len(part), step):
            piece = part[begin : begin + step]
            try:
                request.wfile.write(piece)
            except OSError:  # the client has gone
                request.close_connection = True
                return None
            with self._guard:
                self.bytes_sent += len(piece)
                self.bytes_by_path[path] = self.bytes_by_path.get(path, 0) + len(piece)
            if fault.bytes_per_s:
                time.sleep(len(piece) / fault.bytes_per_s)
        return None


def _entry(name: str, content: bytes) -> dict[str, object]:
    digest = hashlib.sha256(content).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n".encode()
    large = name.endswith(LARGE)
    held = pointer if large else content
    oid = hashlib.sha1(b"blob %d\0" % len(held) + held, usedforsecurity=False).hexdigest()
    entry: dict[str, object] = {"type": "file", "path": name, "size": len(content), "oid": oid}
    return entry | ({"lfs": {"oid": digest, "size": len(content), "pointerSize": len(pointer)}} if large else {})


def _head(request: http.server.BaseHTTPRequestHandler, status: int, headers: Mapping[str, str], length: int) -> None:
    request.send_response(status)
    for name, value in {**headers, "Content-Length": str(length)}.items():
        request.send_header(name, value)
    request.end_headers()


def _refuse(
    request: http.server.BaseHTTPRequestHandler,
    status: int,
    kind: str,
    said: str,
    more: Mapping[str, str] | None = None,
) -> None:
    headers = {"x-error-message": said, **({"X-Error-Code": kind} if kind else {}), **(more or {})}
    _head(request, status, headers, 0)


@contextmanager
def serve(files: Mapping[str, bytes]) -> Iterator[Hub]:
    """Serve a hub for the life of the block."""
    hub = Hub(files)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.answer(self, f"http://127.0.0.1:{self.connection.getsockname()[1]}")

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that was killed

    with Server(("127.0.0.1", 0), Handler) as server, Server(("127.0.0.1", 0), Handler) as other:
        hub.address = f"http://127.0.0.1:{server.server_address[1]}"
        hub.elsewhere = f"http://127.0.0.1:{other.server_address[1]}"
        threads = [
            threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01}) for one in (server, other)
        ]
        for thread in threads:
            thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            other.shutdown()
            for thread in threads:
                thread.join()
