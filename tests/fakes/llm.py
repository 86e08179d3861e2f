"""A language model's service on the loopback, over real HTTP, in both interfaces: it answers as a good one does, and
with every fault that a test asks for."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Lines = list[dict[str, Any]]
Mind = Callable[[Lines], Lines]


def tidy(lines: Lines) -> Lines:
    """Return the lines as a careful model makes them: a capital in front, a full stop behind, and no more words than
    there is room for."""
    done = []
    for line in lines:
        text = str(line.get("draft", line["text"])).strip()
        while len(text) >= line.get("most", len(text) + 1) and " " in text:
            text = text.partition(" ")[2]
        done.append({"id": line["id"], "text": text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")})
    return done


@dataclass(frozen=True)
class Fault:
    """Fault that takes the place of the answer to one request."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None  # instead of what a service of this kind says
    said: str | None = None  # what the model says, instead of lines
    hang_s: float = 0.0
    cut: bool = False  # the connection ends in the middle of the answer
    stopped: bool = False  # the model came to the end of what it may say


@dataclass
class Service:
    """`mind` answers; `faults` come first, in their order, and `always` for ever."""

    address: str = ""
    mind: Mind = tidy
    faults: list[Fault] = field(default_factory=list)
    always: Fault | None = None
    unknown: set[str] = field(default_factory=set)  # parameters that it refuses
    key: str | None = None  # that it wants
    requests: list[dict[str, Any]] = field(default_factory=list)  # bodies, with `path`, `key` and `at` beside
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def asked(self) -> list[list[int]]:
        """The ids of each request."""
        return [[line["id"] for line in material(request)["lines"]] for request in self.requests]

    def next_fault(self) -> Fault | None:
        """Return what is to go wrong now."""
        with self._guard:
            return self.faults.pop(0) if self.faults else self.always


def material(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a request shows the model."""
    text = next(message["content"] for message in request["messages"] if message["role"] == "user")
    found: dict[str, Any] = json.JSONDecoder().raw_decode(text)[0]
    return found


def task(request: Mapping[str, Any]) -> str:
    """Return what a request tells the model to do."""
    return str(request.get("system") or request["messages"][0]["content"])


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers for `service`, and leaves a request hanging until `stopping` is set at the latest."""

    protocol_version = "HTTP/1.1"
    service: Service
    stopping: threading.Event

    def do_POST(self) -> None:
        service = self.service
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers.get("x-api-key") or (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        body |= {"path": self.path, "key": key, "at": time.monotonic()}
        with service._guard:
            service.requests.append(body)
        fault = service.next_fault() or Fault()
        if fault.hang_s:
            self.stopping.wait(fault.hang_s)
        if service.key is not None and key != service.key:
            self._say(401, _error(f"Incorrect API key provided: {key}"))
        elif refused := sorted(service.unknown & set(body)):
            self._say(400, _error(f"Unsupported parameter: '{refused[0]}' is not supported with this model."))
        elif fault.status:
            self._say(fault.status, fault.body or _error("told to"), fault.headers)
        elif fault.body is not None:
            self._say(200, fault.body, fault.headers)
        else:
            said = fault.said or json.dumps({"lines": service.mind(material(body)["lines"])}, ensure_ascii=False)
            self._say(200, _as_service(self.path, said, fault), cut=fault.cut)

    def _say(self, status: int, text: str, headers: Mapping[str, str] | None = None, *, cut: bool = False) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: some tests are about a client that has gone away."""


@contextmanager
def serve_llm(mind: Mind = tidy) -> Iterator[Service]:
    """Serve a language model for the life of the block."""
    service, stopping = Service(mind=mind), threading.Event()
    handler = type("Handler", (_Handler,), {"service": service, "stopping": stopping})
    with _Server(("127.0.0.1", 0), handler) as server:
        service.address = f"http://127.0.0.1:{server.server_address[1]}/v1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield service
        finally:
            stopping.set()
            server.shutdown()
            thread.join()


def _error(message: str) -> str:
    return json.dumps({"error": {"message": message, "type": "error"}})


def _as_service(path: str, said: str, fault: Fault) -> str:
    """Return what a model says, wrapped as the interface of that path wraps it."""
    tokens = len(said) // 4
    if path.endswith("/messages"):
        try:
            block = {"type": "tool_use", "id": "1", "name": "lines", "input": json.loads(said)}
        except ValueError:
            block = {"type": "text", "text": said}
        reason = "max_tokens" if fault.stopped else "tool_use"
        usage = {"input_tokens": 100, "output_tokens": tokens}
        return json.dumps({"type": "message", "content": [block], "stop_reason": reason, "usage": usage})
    choice = {"message": {"role": "assistant", "content": said}, "finish_reason": "length" if fault.stopped else "stop"}
    usage = {"prompt_tokens": 100, "completion_tokens": tokens}
    return json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage})
