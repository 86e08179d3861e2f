"""A proxy on the loopback that lets nothing through and remembers who asked: what leaves a process on the quiet. Only a
service that a stage is configured for may be let through, by its exact address.

The model libraries, Python's own client, requests, httpx and curl all go by the proxy variables, so each attempt to
reach anything lands here, as `CONNECT host:443` or as `GET http://host/...`. No root and no namespace is needed. What
opens sockets of its own without looking at these variables escapes; that is what a machine without a network is for.
"""

from __future__ import annotations

import http.client
import http.server
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

_METHODS = ("CONNECT", "GET", "HEAD", "POST", "PUT", "DELETE")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


@dataclass
class Leaks:
    """`attempts`: what somebody wanted to reach in vain, in order. `variables` make a process come here. `passed`
    counts requests to the address that is allowed."""

    address: str
    attempts: list[str] = field(default_factory=list)
    passed: int = 0

    @property
    def variables(self) -> Mapping[str, str]:
        """In both cases, since libraries differ; nothing is exempt, the loopback included."""
        proxies = dict.fromkeys(_PROXIES, self.address) | {"no_proxy": ""}
        return proxies | {name.upper(): value for name, value in proxies.items()}


@contextmanager
def detect_leaks(allowed: str | None = None) -> Iterator[Leaks]:
    """Give a detector for the life of the block; what is below the address `allowed`, over HTTP, it passes on."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            if allowed and self.path.startswith(allowed + "/"):
                self._pass_on()
                return
            leaks.attempts.append(f"{self.command} {self.path}")
            self.send_error(HTTPStatus.FORBIDDEN, "nothing leaves this machine")

        def _pass_on(self) -> None:
            leaks.passed += 1
            place = urllib.parse.urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kept = {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")}
            behind = http.client.HTTPConnection(place.netloc, timeout=60)
            behind.request(self.command, place.path, body, kept)
            answer = behind.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            behind.close()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    for method in _METHODS:
        setattr(Handler, f"do_{method}", Handler.answer)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        leaks = Leaks(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield leaks
        finally:
            server.shutdown()
            thread.join()
