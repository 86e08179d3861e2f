"""Decides which requests are let in, by their host, origin and token. Pure, but for the clock that is handed in."""

from __future__ import annotations

import hmac
import ipaddress
from collections import deque
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from urllib.parse import parse_qs

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_COOKIE = "reel-token"
CLIENT: ContextVar[str] = ContextVar("CLIENT", default="127.0.0.1")
"""The address that the present request comes from."""
_HARMLESS = {"GET", "HEAD", "OPTIONS"}
_OPEN_PATHS = {"/health", "/ready", "/login"}  # a container's health check has no token
_OPEN_FOLDER = "/static/"  # what pages are made of, which holds no data
_FAILURES, _WITHIN_S = 10, 60.0
_CLIENTS = 10_000  # remembered at most


@dataclass(frozen=True)
class Denied:
    """Why a request is not let in: HTTP status, stable code, and what a person reads."""

    status: int
    code: str
    message: str
    hint: str | None = None


@dataclass(frozen=True)
class RequestFacts:
    """The facts that access is decided by. `path` is without the base path; names of headers are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    client: str
    scheme: str = "http"


def is_loopback(address: str) -> bool:
    """Tell whether a server that listens at the address is reached from this machine alone."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def host_name(header: str) -> str:
    """Return the name in a `Host` header, without port and brackets: `[::1]:9000` is `::1`."""
    name = header.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0].rstrip(".")


def cookie_name(host: str) -> str:
    """Return the name of the cookie that keeps the token of the server in a `Host` header. It has the port: browsers
    send a cookie to every port of a machine, and two servers have two tokens."""
    port = host.strip().rpartition("]")[2].partition(":")[2]
    return f"{_COOKIE}-{port}" if port.isascii() and port.isdigit() else _COOKIE


class Access:
    """Rules of one server. `hosts` are the names that it is called by; without a `token`, anyone who reaches it may
    use it."""

    def __init__(self, hosts: frozenset[str], token: str | None = None) -> None:
        self._hosts, self._token = hosts, token
        self._failures: dict[str, deque[float]] = {}

    def denial(self, facts: RequestFacts, now_s: float) -> Denied | None:
        """Return why a request is not let in; None if it is."""
        host = facts.headers.get("host", "")
        if host_name(host) not in self._hosts:
            return Denied(
                421, "serve.host", "this server is not called by that name", "start it with `--host-name NAME`"
            )
        if facts.method not in _HARMLESS and not _is_own(facts, host):
            return Denied(403, "serve.origin", "a page of another site may not change anything here")
        return self._token_denial(facts, now_s)

    def _token_denial(self, facts: RequestFacts, now_s: float) -> Denied | None:
        if self._token is None or facts.path in _OPEN_PATHS or facts.path.startswith(_OPEN_FOLDER):
            return None
        if len(self._failures) > _CLIENTS:
            self._failures.clear()
        failures = self._failures.setdefault(facts.client, deque(maxlen=_FAILURES))
        if len(failures) == _FAILURES and now_s - failures[0] < _WITHIN_S:
            return Denied(429, "serve.failures", f"more than {_FAILURES} requests without the token within a minute")
        given = _token_in(facts)
        if given is not None and hmac.compare_digest(given.encode(), self._token.encode()):
            return None
        if given is not None:
            failures.append(now_s)
        hint = "send it as `Authorization: Bearer TOKEN`"
        return Denied(401, "serve.token", "this server asks for its token", hint)


def _is_own(facts: RequestFacts, host: str) -> bool:
    """Tell whether no page of another site sends the request. Programs send none of the headers that browsers do."""
    origin = facts.headers.get("origin")
    if origin is not None:
        scheme, _, place = origin.strip().lower().partition("://")
        return scheme in {"http", "https"} and place == host.strip().lower()
    return facts.headers.get("sec-fetch-site", "none") in {"same-origin", "none"}


def _token_in(facts: RequestFacts) -> str | None:
    """Return the token of a request: from the header, from the page's cookie, or, for hooks, from the query."""
    kind, _, value = facts.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and value:
        return value.strip()
    cookie = cookie_name(facts.headers.get("host", ""))
    for part in facts.headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == cookie:
            return value
    if facts.path.startswith("/hooks/"):
        return next(iter(parse_qs(facts.query).get("token", ())), None)
    return None
