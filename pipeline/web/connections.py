"""Connects the server with its clients: the sockets that it listens at, and the HTTP that it speaks.

That is uvicorn's, with a time limit for the head of a request, and a refusal in JSON of what is not one.
"""

from __future__ import annotations

import asyncio
import errno
import json
import socket

from uvicorn.protocols.http.h11_impl import H11Protocol

from pipeline.base.errors import UsageError
from pipeline.web.replies import SAFE_HEADERS

HEAD_LIMIT_S = 20.0
"""The head of a request comes within this time. Without a limit, clients that send nothing take all open files."""
_OTHER_PORT = "choose another port with `--port N`; 0 takes one that is free"
_HINTS = {errno.EADDRINUSE: f"end the program that has it, or {_OTHER_PORT}", errno.EACCES: _OTHER_PORT}


def listening_sockets(address: str, port: int) -> list[socket.socket]:
    """Return a socket for each address that a name stands for. Raises `UsageError`."""
    sockets: list[socket.socket] = []
    failure: OSError | None = None
    try:
        places = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise _not_listening(address, port, error) from error
    for family, *_, place in dict.fromkeys(places):
        try:
            sockets.append(socket.create_server(place, family=family))
        except OSError as error:  # `localhost` may also stand for an address that this machine does not have
            failure = error
    if failure and not (sockets and failure.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}):
        for opened in sockets:
            opened.close()
        raise _not_listening(address, port, failure) from failure
    return sockets


def _not_listening(address: str, port: int, error: OSError | UnicodeError) -> UsageError:
    number, why = (error.errno or 0, error.strerror) if isinstance(error, OSError) else (0, "it is not a name")
    hint = _HINTS.get(number, "`--listen` takes an address of this machine, as 127.0.0.1 or 0.0.0.0")
    return UsageError("serve.listen", f"the server cannot listen at port {port} of {address}: {why}", hint=hint)


class HttpProtocol(H11Protocol):  # type: ignore[misc]
    """Connection of one client."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what has come, and limit the time for a head that has come in part."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._stop_timer()
        elif self._timer is None and (before is None or before.response_complete):
            self._start_timer()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not a request, in the form of every other refusal."""
        text = "the bytes are not a request in HTTP/1.1, or its head is too large"
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            body = json.dumps({"code": "serve.request", "message": text, "hint": None})
            headers = {
                "content-type": "application/json", "content-length": str(len(body)), "connection": "close",
                "cache-control": "no-store", **SAFE_HEADERS,
            }  # fmt: skip
            head = ["HTTP/1.1 400 Bad Request", *(f"{name}: {value}" for name, value in headers.items())]
            self.transport.write("\r\n".join([*head, "", body]).encode())
        if cycle is not None:  # whoever works on the request need not go on
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(HEAD_LIMIT_S, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
