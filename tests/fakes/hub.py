"""A model hub on the loopback: serves files of one repository over real HTTP, and misbehaves when told to."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Hub:
    """`files` by path (`org/name/resolve/<revision>/<file>`); `cut_after` ends one answer early, `wrong` lies once."""

    files: Mapping[str, bytes]
    address: str = ""
    cut_after: int | None = None
    wrong: bytes | None = None
    status: int | None = None
    honours_ranges: bool = True
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    bytes_sent: int = 0

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.requests.append((request.path, wanted))
        body = self.files.get(request.path.lstrip("/"))
        if self.status or body is None:
            request.send_error(self.status or 404)
            return
        if self.wrong is not None:
            body, self.wrong = self.wrong, None
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.honours_ranges else 0
        part = body[start:]
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(part)))
        request.end_headers()
        if self.cut_after is not None:
            part, self.cut_after = part[: self.cut_after], None
            request.close_connection = True
        request.wfile.write(part)
        self.bytes_sent += len(part)


@contextmanager
def serve(files: Mapping[str, bytes]) -> Iterator[Hub]:
    """A hub at work for the life of the block."""
    hub = Hub(files)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.answer(self)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
