"""Runs a server, asks it something, tells it to end, and prints what came of that: `boxed_server.py ORDER.json`.

A program of its own, so that all of it can be put where there is no network: the loopback is brought up first. The
order holds the `command`, the `port`, and the `requests`: method, path, headers, and the file of the body or null.
"""

from __future__ import annotations

import base64
import fcntl
import http.client
import json
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

_LIMIT_S = 240.0
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1


def bring_up_loopback() -> None:
    """Bring the loopback up, which is down in a new network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", _IFF_UP))


def ask(port: int, method: str, path: str, headers: dict[str, str], body: bytes | None) -> dict[str, Any]:
    """Return the status and the body of a reply."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_LIMIT_S)
    try:
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        return {"status": reply.status, "body": base64.b64encode(reply.read()).decode()}
    finally:
        connection.close()


def wait_until_it_answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Tell whether the server answers, once it does or has ended."""
    end = time.monotonic() + _LIMIT_S
    while process.poll() is None and time.monotonic() < end:
        try:
            ask(port, "GET", "/health", {}, None)
            return True
        except OSError:
            time.sleep(0.1)
    return False


def server_of(process: subprocess.Popen[bytes]) -> psutil.Process:
    """Return the process of the server: the one that listens, whatever started it."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    return next(one for one in reversed(family) if {"-m", "pipeline", "serve"} <= {*one.cmdline()})


def main(order: dict[str, Any]) -> dict[str, Any]:
    """Carry the order out."""
    if order["loopback"]:
        bring_up_loopback()
    replies = []
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(order["command"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            if wait_until_it_answers(order["port"], process):
                for method, path, headers, file in order["requests"]:
                    body = Path(file).read_bytes() if file else None
                    replies.append(ask(order["port"], method, path, headers, body))
                server_of(process).send_signal(signal.SIGTERM)
            status = process.wait(_LIMIT_S)
        finally:
            for left in psutil.Process().children(recursive=True):
                left.kill()
        log.seek(0)
        return {"replies": replies, "status": status, "log": log.read().decode("utf-8", "replace")}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
