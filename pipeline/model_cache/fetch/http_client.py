"""Make HTTP requests with retries: wait as a busy server asks, back off from a failing one, and send a token only to
the origin that it belongs to.

The client of the standard library is enough. Fetching also needs resuming and the detection of stalls, which no HTTP
library offers."""

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
from pipeline.base.display import one_line
from pipeline.base.events import Emit
from pipeline.base.secret_file import Token
from pipeline.model_cache.fetch.retry_policy import RetryPolicy

_RATE_LIMIT = re.compile(r"\bt=(\d+)")
Answer = TypeVar("Answer")
# Waiting does not help against these.
_NOT_RETRIED = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)
_TRIES_OF_A_TIMEOUT = 3  # a timeout counts as several tries: behind a firewall that drops packets, each takes all of it
_FAILING = 500  # from here on, the fault is the server's


class HttpStatusError(Exception):
    """An error response, after all retries. The names of the headers are in lower case."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(str(status))
        self.status, self.headers = status, headers


class ConnectionFailed(Exception):
    """No answer, after all retries. `reason` is the failure of the last try."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


class TransferInterrupted(Exception):
    """A transfer that ended early, by itself or because it had stalled. `progressed` says that it brought some bytes,
    so that it is resumed at once."""

    def __init__(self, reason: Exception, progressed: bool) -> None:
        super().__init__(str(reason))
        self.reason, self.progressed = reason, progressed


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
    """Return scheme, host and port, to which a token belongs."""
    parts = urllib.parse.urlsplit(address)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def open_once(
    address: str, policy: RetryPolicy, token: Token | None = None, headers: Mapping[str, str] | None = None
) -> http.client.HTTPResponse:
    """Make one request. The caller ensures that the token belongs to the origin of `address`."""
    request = urllib.request.Request(address, headers={"User-Agent": "reelflow", **(headers or {})})
    if token is not None:
        request.add_header("Authorization", f"Bearer {token.value}")
    answer = _opener.open(request, timeout=policy.timeout_s)
    assert isinstance(answer, http.client.HTTPResponse)
    return answer


def with_retries(
    ask: Callable[[], Answer], policy: RetryPolicy, emit: Emit, pause: Callable[[float], None] = time.sleep
) -> Answer:
    """Return what `ask` returns, and retry after failures that may pass. Raises `HttpStatusError` or
    `ConnectionFailed`.

    Only attempts without progress are counted: a transfer that is cut every minute, and progresses each time, goes on.
    """
    tries = 0
    while True:
        wait_s = None
        try:
            return ask()
        except TransferInterrupted as cut:
            tries = 1 if cut.progressed else tries + 1
            failure: HttpStatusError | ConnectionFailed = ConnectionFailed(cut.reason)
            problem = str(cut.reason)
        except urllib.error.HTTPError as error:
            with error:
                failure = HttpStatusError(error.code, {name.lower(): value for name, value in error.headers.items()})
            if error.code != HTTPStatus.TOO_MANY_REQUESTS and error.code < _FAILING:
                raise failure from None
            tries += 1
            problem, wait_s = f"the server answered {error.code}", wait_of(failure.headers)
        except (OSError, http.client.HTTPException) as error:
            failure = ConnectionFailed(error)
            reason = getattr(error, "reason", error)
            if isinstance(reason, _NOT_RETRIED):
                raise failure from error
            tries += _TRIES_OF_A_TIMEOUT if isinstance(reason, TimeoutError) else 1
            problem = one_line(str(reason))  # it may quote what the server sent
        pause_s = policy.back_off_s * 2.0 ** (tries - 1) if wait_s is None else wait_s
        if tries >= policy.tries or pause_s > policy.longest_wait_s:
            raise failure
        asked = ", as it asks" if wait_s is not None else ""
        emit(events.Notice(None, None, f"{problem}; waiting {pause_s:.0f} s{asked}, then continuing"))
        pause(pause_s)


def wait_of(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asks to wait, from headers with names in lower case; None if it does not ask."""
    if (limit := _RATE_LIMIT.search(headers.get("ratelimit", ""))) is not None:
        return float(limit[1]) + 1
    after = headers.get("retry-after", "").strip()
    if after.isdecimal():
        return float(after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(after).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
