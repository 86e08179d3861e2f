"""How much of the machine a server takes from its jobs while many people have its page open.

    .venvs/core/bin/python benchmarks/server.py [--clients 50] [--seconds 30] [--every 1.0]

A server on stub results answers clients on the loopback: each asks for the document of a review once in `--every`
seconds, five follow the events, and two read the sound by ranges as fast as it is played. `busy` is the share of all
cores that the server takes, and so the most by which a job slows down; `p95` is the time of a document.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
MOST_BUSY, MOST_P95_MS = 0.05, 200.0
FOLLOWERS, LISTENERS = 5, 2
RANGE_BYTES = 32_000  # a second of the sound


@dataclass
class Load:
    """The replies that the clients of one server have had so far."""

    port: int
    until: float
    every: float
    took_s: list[float] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)

    def ask(self, path: str, headers: dict[str, str] | None = None) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            begin = time.perf_counter()
            connection.request("GET", path, headers=headers or {})
            reply = connection.getresponse()
            reply.read()
            if not headers:
                self.took_s.append(time.perf_counter() - begin)
            if reply.status >= 400:
                self.failed.append(reply.status)
        finally:
            connection.close()

    def repeat(self, path: str, headers: dict[str, str] | None = None) -> None:
        while time.monotonic() < self.until:
            begin = time.monotonic()
            self.ask(path, headers)
            time.sleep(max(self.every - (time.monotonic() - begin), 0.0))

    def follow(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.until - time.monotonic())
        connection.request("GET", "/api/1/events")
        reply = connection.getresponse()
        try:
            while time.monotonic() < self.until:
                reply.readline()
        except TimeoutError:
            return
        finally:
            connection.close()


def main() -> int:
    """Measure, print a table, and exit with 1 when a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=1.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server, port = started(Path(folder))
        try:
            busy, load = measured(server, port, options)
        finally:
            server.terminate()
            server.wait()
    p95_ms = sorted(load.took_s)[int(len(load.took_s) * 0.95)] * 1000
    print(f"busy {busy:6.1%}   limit {MOST_BUSY:.0%}")
    print(f"p95  {p95_ms:3.0f} ms   limit {MOST_P95_MS:.0f} ms, of {len(load.took_s)} documents")
    print(f"refused {len(load.failed)}   limit 0")
    return int(busy > MOST_BUSY or p95_ms > MOST_P95_MS or bool(load.failed))


def started(folder: Path) -> tuple[subprocess.Popen[str], int]:
    """Return a server with one review, and its port."""
    variables = {**os.environ, "REEL_RESULTS_DIR": str(folder / "results"), "REEL_OUTPUT_DIR": str(folder / "out")}
    words = [sys.executable, "-P", "-m", "pipeline"]
    variables["PYTHONPATH"] = str(ROOT)
    film = ROOT / "samples" / "demo.mp4"
    subprocess.run([*words, "run", "--stub", film, "--progress", "none"], env=variables, check=True, cwd=folder)
    server = subprocess.Popen(
        [*words, "serve", "--stub", "--port", "0"], env=variables, encoding="utf-8", stderr=subprocess.PIPE, cwd=folder
    )
    assert server.stderr
    for line in server.stderr:
        if line.startswith("serving on "):
            return server, int(line.rpartition(":")[2].strip().strip("/"))
    raise SystemExit("the server did not start")


def measured(server: subprocess.Popen[str], port: int, options: argparse.Namespace) -> tuple[float, Load]:
    """Return the share of all cores that the server took, and what its clients saw."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/api/1/media")
    review = "/api/1/media/" + json.loads(connection.getresponse().read())["media"][0]["id"]
    process, load = psutil.Process(server.pid), Load(port, time.monotonic() + options.seconds, options.every)
    part = {"range": f"bytes=0-{RANGE_BYTES - 1}"}
    clients = [threading.Thread(target=load.repeat, args=(review,)) for _ in range(options.clients)]
    clients += [threading.Thread(target=load.follow) for _ in range(FOLLOWERS)]
    clients += [threading.Thread(target=load.repeat, args=(f"{review}/sound", part)) for _ in range(LISTENERS)]
    before, begin = process.cpu_times(), time.monotonic()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    after, cores = process.cpu_times(), os.cpu_count() or 1
    used = after.user + after.system - before.user - before.system
    return used / ((time.monotonic() - begin) * cores), load


if __name__ == "__main__":
    sys.exit(main())
