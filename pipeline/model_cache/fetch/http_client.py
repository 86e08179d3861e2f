"""Requests over HTTP with patience: wait as a busy server asks, back off from a failing one, and send a token only to
the origin that it belongs to.

The standard library's client is enough: what the fetching needs beyond it, resuming and watching, no client has."""

from __future__ import annotations

import email.utils
import http.client
import re
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import IO, TypeVar

from pipeline.base import events
from pipeline.base.events import Emit
from pipeline.base.secret_file import Token
from pipeline.model_cache.fetch.retry_policy import Patience

_RATE_LIMIT = re.compile(r"\bt=(\d+)")
Answer = TypeVar("Answer")
# Waiting makes no server, and no certificate.
_HOPELESS = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)
_SILENCE_COUNTS = 3  # behind a wall that swallows everything, each try takes the whole timeout
_FAILING = 500  # from here on, the fault is the server's


class Refused(Exception):
    """An error response, after all retries. The headers' names are in lower case, however they came."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(str(status))
        self.status, self.headers = status, headers


class Unreachable(Exception):
    """No answer, after all retries. `reason` is the failure of the last try."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Interrupted(Exception):
    """A transfer that ended before its end: by itself, or because it was too slow to be alive. `moved`: it brought
    something, and it is worth going on at once."""

    def __init__(self, reason: Exception, moved: bool) -> None:
        super().__init__(str(reason))
        self.reason, self.moved = reason, moved


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:  # fmt: skip
        follow = super().redirect_request(req, fp, code, msg, headers, newurl)
        if follow is not None and origin_of(newurl) != origin_of(req.full_url):
            follow.remove_header("Authorization")
        return follow


_opener = urllib.request.build_opener(_Redirects)


def origin_of(address: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port: what a token belongs to."""
    parts = urllib.parse.urlsplit(address)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def open_once(
    address: str, patience: Patience, token: Token | None = None, headers: Mapping[str, str] | None = None
) -> http.client.HTTPResponse:
    """One request. The caller decides whether `address` is of the token's origin."""
    request = urllib.request.Request(address, headers={"User-Agent": "reelflow", **(headers or {})})
    if token is not None:
        request.add_header("Authorization", f"Bearer {token.value}")
    answer = _opener.open(request, timeout=patience.timeout_s)
    assert isinstance(answer, http.client.HTTPResponse)
    return answer


def patiently(
    ask: Callable[[], Answer], patience: Patience, emit: Emit, pause: Callable[[float], None] = time.sleep
) -> Answer:
    """Return what `ask` returns, and retry passing failures. Raises `Refused` or `Unreachable`.

    Only attempts without progress count: a transfer that is cut every minute and moved each time goes on.
    """
    tries = 0
    while True:
        wait_s = None
        try:
            return ask()
        except Interrupted as cut:
            tries = 1 if cut.moved else tries + 1
            failure: Refused | Unreachable = Unreachable(cut.reason)
            problem = str(cut.reason)
        except urllib.error.HTTPError as error:
            with error:
                failure = Refused(error.code, {name.lower(): value for name, value in error.headers.items()})
            if error.code != HTTPStatus.TOO_MANY_REQUESTS and error.code < _FAILING:
                raise failure from None
            tries += 1
            problem, wait_s = f"the server answered {error.code}", wait_of(failure.headers)
        except (OSError, http.client.HTTPException) as error:
            failure = Unreachable(error)
            reason = getattr(error, "reason", error)
            if isinstance(reason, _HOPELESS):
                raise failure from error
            tries += _SILENCE_COUNTS if isinstance(reason, TimeoutError) else 1
            problem = str(reason)
        pause_s = patience.back_off_s * 2.0 ** (tries - 1) if wait_s is None else wait_s
        if tries >= patience.tries or pause_s > patience.longest_wait_s:
            raise failure
        asked = ", as it asks" if wait_s is not None else ""
        emit(events.Notice(None, None, f"{problem}; waiting {pause_s:.0f} s{asked}, then continuing"))
        pause(pause_s)


def wait_of(headers: Mapping[str, str]) -> float | None:
    """How many seconds a server asks to be left alone, by headers in lower case; None when it does not say."""
    if (limit := _RATE_LIMIT.search(headers.get("ratelimit", ""))) is not None:
        return float(limit[1]) + 1
    after = headers.get("retry-after", "").strip()
    if after.isdecimal():
        return float(after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(after).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
