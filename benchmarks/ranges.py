"""One large file over several connections against one, from a server that gives each a quarter of the line.

    .venvs/core/bin/python -P benchmarks/ranges.py [--megabytes 800] [--line 80]

The server is a process of its own on the loopback: all connections together get `--line` MB/s, each a quarter of that.
The program prints both times and their ratio. The same comparison with a server that gives one connection the whole
line shows what the trial costs where it cannot help.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import http.server
import multiprocessing
import sys
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the project is not a package

from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.fetch.retry_policy import DEFAULT_POLICY
from pipeline.model_cache.manifest import LockedFile, LockedModel, Model, UrlSource

LEAST_GAIN, MOST_LOSS = 2.5, 1.15
_BLOCK = bytes(range(256)) * 256


def main() -> int:
    """Measure, print, and exit with 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=800, help="the size of the file")
    parser.add_argument("--line", type=int, default=80, help="MB/s of all connections together")
    options = parser.parse_args()
    size, line = options.megabytes * 1_000_000, options.line * 1_000_000
    ratios = {}
    for what, share in (("a quarter each", 4), ("the whole line for one", 1)):
        single, several = (seconds(size, line, share, connections) for connections in (1, DEFAULT_POLICY.connections))
        ratios[share] = single / several
        print(
            f"{what:<24}{single:6.1f} s with one connection, {several:6.1f} s with several   ratio {ratios[share]:.2f}"
        )
    print(f"limits: {LEAST_GAIN} at least, and {1 / MOST_LOSS:.2f} where several cannot help")
    return int(ratios[4] < LEAST_GAIN or ratios[1] < 1 / MOST_LOSS)


def seconds(size: int, line: int, share: int, connections: int) -> float:
    """Return how long a fetch of `size` bytes takes with at most so many connections."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(size, line, share, theirs), daemon=True)
    server.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            address = f"http://127.0.0.1:{ours.recv()}/big.bin"
            model = Model(summary="big", licence="MIT", sources=(UrlSource(kind="url", files={"big.bin": address}),))
            locked = LockedModel(revision="1", files={"big.bin": LockedFile(size=size, sha256=digest_of(size))})
            policy = dataclasses.replace(DEFAULT_POLICY, connections=connections)
            cache = ModelCache(Path(folder), {"big": model}, {"big": locked}, "", policy=policy)
            started = time.perf_counter()
            cache.fetch("big", lambda event: None)
            return time.perf_counter() - started
    finally:
        server.kill()
        server.join()


def content(start: int, end: int) -> bytes:
    """Return these bytes of the file."""
    offset = start % len(_BLOCK)
    return (_BLOCK * ((end - start + offset) // len(_BLOCK) + 1))[offset : offset + end - start]


def digest_of(size: int) -> str:
    """Return the sha256 of the file."""
    digest = hashlib.sha256()
    for start in range(0, size, len(_BLOCK)):
        digest.update(content(start, min(start + len(_BLOCK), size)))
    return digest.hexdigest()


class Line:
    """Bytes that may be sent: so many a second, and what was not used within a tenth of a second is lost."""

    def __init__(self, bytes_per_s: float) -> None:
        self._rate, self._free_at, self._guard = bytes_per_s, 0.0, threading.Lock()

    def wait_for(self, size: int) -> None:
        """Wait until `size` more bytes fit."""
        with self._guard:
            now = time.monotonic()
            self._free_at = max(self._free_at, now - 0.1) + size / self._rate
            pause = self._free_at - now
        if pause > 0:
            time.sleep(pause)


def serve(size: int, bytes_per_s: int, share: int, tell: Connection) -> None:
    """Serve one file with ranges; runs until it is killed."""
    line = Line(bytes_per_s)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, end = int(first or 0), int(last) + 1 if last else size
            self.send_response(206 if wanted else 200)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(end - start))
            self.end_headers()
            own = Line(bytes_per_s / share)
            for at in range(start, end, len(_BLOCK)):
                part = content(at, min(at + len(_BLOCK), end))
                own.wait_for(len(part))
                line.wait_for(len(part))
                try:
                    self.wfile.write(part)
                except OSError:
                    return  # the client has enough

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        tell.send(server.server_address[1])
        server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
