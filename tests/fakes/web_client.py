"""A server process under test, and a client that sends exactly what a test says."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import Reel

LIMIT_S = 120.0


@dataclass(frozen=True)
class Reply:
    """Reply to a request, its headers with lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """A `reel serve` process. `lines` is what it has said until it listened."""

    process: subprocess.Popen[str]
    port: int
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Send a request. A body that is not bytes goes as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        sent = {**(headers or {})}
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if content is not None and not isinstance(body, bytes):
            sent.setdefault("content-type", "application/json")
        try:
            connection.request(method, path, content, sent)
            reply = connection.getresponse()
            read = reply.read()
            return Reply(reply.status, {key.lower(): value for key, value in reply.getheaders()}, read)
        finally:
            connection.close()

    def job(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/api/1/jobs/{name}").data
        return found

    def wait_for(self, name: str, *states: str) -> dict[str, Any]:
        """Return a job once it is in one of the states."""
        found: dict[str, Any] = until(lambda: job if (job := self.job(name))["state"] in states else None)
        return found

    def events(self, last_id: str | None = None, base: str = "") -> Iterator[dict[str, str]]:
        """Yield events as they come, each with `id`, `event` and `data`. `base` is the path of the server."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        try:
            connection.request("GET", f"{base}/api/1/events", headers={"last-event-id": last_id} if last_id else {})
            reply = connection.getresponse()
            event: dict[str, str] = {}
            while line := reply.readline().decode():
                name, colon, value = line.rstrip("\n").partition(": ")
                if colon and name:
                    event[name] = value
                elif not line.strip():
                    if "event" in event:
                        yield event
                    event = {}
        finally:
            connection.close()


def until(look: Callable[[], Any]) -> Any:
    """Return what `look` finds, once it finds something."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("it never came")


def start_server(reel: Reel, *arguments: str | Path, extra: Mapping[str, str] | None = None, port: int = 0) -> Server:
    """Start a server, on a free port where none is given, and wait until it listens."""
    process = reel.start("serve", "--port", str(port), *arguments, extra=extra)
    assert process.stderr
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("serving on "):
            place = line.partition("//")[2].partition("/")[0]
            return Server(process, int(place.rpartition(":")[2]), lines)
    raise AssertionError("".join(lines))


def end_server(server: Server) -> int:
    """Tell a server to end; its exit status."""
    server.process.terminate()
    server.process.communicate(timeout=LIMIT_S)
    return server.process.returncode
