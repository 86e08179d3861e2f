"""A proxy on the loopback that lets nothing through and remembers who asked: what leaves a process on the quiet.

The model libraries, Python's own client, requests, httpx and curl all go by the proxy variables, so each attempt to
reach anything lands here, as `CONNECT host:443` or as `GET http://host/...`. No root and no namespace is needed. What
opens sockets of its own without looking at these variables escapes; that is what a machine without a network is for.
"""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

_METHODS = ("CONNECT", "GET", "HEAD", "POST", "PUT", "DELETE")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


@dataclass
class Leaks:
    """`attempts`: what somebody wanted to reach, in order. `variables` make a process come here."""

    address: str
    attempts: list[str] = field(default_factory=list)

    @property
    def variables(self) -> Mapping[str, str]:
        """In both cases, since libraries differ; nothing is exempt, the loopback included."""
        proxies = dict.fromkeys(_PROXIES, self.address) | {"no_proxy": ""}
        return proxies | {name.upper(): value for name, value in proxies.items()}


@contextmanager
def detect_leaks() -> Iterator[Leaks]:
    """A detector at work for the life of the block."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def refuse(self) -> None:
            leaks.attempts.append(f"{self.command} {self.path}")
            self.send_error(HTTPStatus.FORBIDDEN, "nothing leaves this machine")

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    for method in _METHODS:
        setattr(Handler, f"do_{method}", Handler.refuse)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        leaks = Leaks(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield leaks
        finally:
            server.shutdown()
            thread.join()
