"""Fetch ranges of one file over several connections, as long as that is faster than one.

Each thread fetches one range into its piece. The caller's thread decides how many threads there are, moves finished
pieces into the beginning of the file, and returns as soon as one connection is enough: retries are made by the single
connection.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
import urllib.error
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

from pipeline.base import events
from pipeline.base.events import Emit
from pipeline.base.secret_file import Token
from pipeline.model_cache.fetch.errors import FetchError, as_disk_error
from pipeline.model_cache.fetch.http_client import open_once, wait_of
from pipeline.model_cache.fetch.pieces import fetched_bytes, gaps, piece_at
from pipeline.model_cache.fetch.retry_policy import RetryPolicy, StallDetector
from pipeline.model_cache.fetch.width import Gauge, Width

_READ_BYTES = 1 << 18
_LOOK_S = 0.05
_LEAST_PIECE, _MOST_PIECE = 1 << 20, 64 << 20
_PIECE_S = 6.0  # the time that a range should take, so that the slow start of a connection is a small part of it
_PIECES = 32  # at least, in a file, so that no connection is left alone with a long range at the end


@dataclass(frozen=True)
class Stream:
    """A file as one connection has found it: the address after redirects, and the rate in bytes a second."""

    address: str
    token: Token | None
    rate: float


class ParallelRanges:
    """The threads of one file.

    `advance` gets the starts of the pieces that are still being written; it moves the other pieces into the beginning
    of the file and returns the byte reached. `report` gets the number of all bytes received.
    """

    def __init__(
        self, stream: Stream, size: int, partial: Path, policy: RetryPolicy, emit: Emit,
        advance: Callable[[Collection[int]], int], report: Callable[[int], None],
    ) -> None:  # fmt: skip
        self._stream, self._size, self._partial, self._policy = stream, size, partial, policy
        self._emit, self._advance, self._report = emit, advance, report
        self._width = Width(stream.rate, policy.connections, policy.worth)
        self._received, self._not_before, self._reduced = fetched_bytes(partial), 0.0, 0.0
        # Everything below is shared by the threads, and guarded by this condition.
        self._changed = threading.Condition()
        self._missing: list[tuple[int, int]] = []
        self._writing: set[int] = set()
        self._failed: list[tuple[float, Exception]] = []  # with the time at which the request began
        self._stopped = False

    def fetch(self) -> bool:
        """Fetch until the file is complete or one connection is enough. Return whether the server refused or cut
        connections, so that several may be tried again later. Raises `FetchError` for the disk."""
        reached, refused = self._advance(()), False
        self._missing = _divided(gaps(self._partial, reached, self._size), self._piece_bytes(self._size - reached))
        gauge = Gauge(self._policy.measure_s, self._received)
        try:
            while reached < self._size:
                with self._changed:
                    refused = self._handle_failures() or refused
                    if not self._writing and self._width.count < 2:
                        break
                    self._start_threads()
                    self._changed.wait(_LOOK_S)
                    received, writing = self._received, frozenset(self._writing)
                if not self._width.settled and (rate := gauge.rate(received)) is not None:
                    self._width.measured(rate)
                    gauge = Gauge(self._policy.measure_s, received)
                reached = self._advance(writing)
                self._report(received)
        finally:
            with self._changed:
                self._stopped = True  # no thread writes after this
        return refused

    def _piece_bytes(self, left: int) -> int:
        return max(_LEAST_PIECE, min(_MOST_PIECE, int(self._stream.rate * _PIECE_S), left // _PIECES))

    def _start_threads(self) -> None:
        """Give each free connection the first range that is missing."""
        while self._missing and 1 < self._width.count > len(self._writing) and time.monotonic() >= self._not_before:
            start, end = self._missing.pop(0)
            self._writing.add(start)
            threading.Thread(target=self._fetch_range, args=(start, end), daemon=True).start()

    def _handle_failures(self) -> bool:
        """Use fewer connections after failures, and notify the user. Return whether there were failures."""
        failed, self._failed = self._failed, []
        for began, error in failed:
            if isinstance(error, FetchError):
                raise error
            if began < self._reduced:  # one of the failures for which the number was reduced already
                continue
            pause_s, problem = self._policy.back_off_s, str(error)
            if isinstance(error, urllib.error.HTTPError):
                asked_s = wait_of({name.lower(): value for name, value in error.headers.items()})
                pause_s, problem = pause_s if asked_s is None else asked_s, f"the server answered {error.code}"
            self._width.refused(for_long=pause_s > self._policy.longest_wait_s)
            self._reduced = time.monotonic()
            self._not_before = self._reduced + pause_s
            left = f"{self._width.count} connections" if self._width.count > 1 else "one connection"
            self._emit(events.Notice(None, None, f"{problem}; continuing with {left}"))
        return bool(failed)

    def _fetch_range(self, start: int, end: int) -> None:
        """Fetch one range into its piece, and put the rest of it back after a failure. Runs in a thread of its own."""
        began, reached, failure = time.monotonic(), start, None
        try:
            for offset in self._receive(start, end):
                reached = offset
        except (FetchError, OSError, http.client.HTTPException) as error:
            failure = error
            if isinstance(error, urllib.error.HTTPError):
                error.close()
        with self._changed:
            self._writing.discard(start)
            if reached < end:
                self._missing.insert(0, (reached, end))
            if failure is not None:
                self._failed.append((began, failure))
            self._changed.notify()

    def _receive(self, start: int, end: int) -> Iterator[int]:
        """Write one range into its piece, and yield the byte reached after each chunk."""
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={start}-{end - 1}"}
        stalls, reached = StallDetector(self._policy, start), start
        with open_once(self._stream.address, self._policy, self._stream.token, headers) as answer:
            if answer.status != HTTPStatus.PARTIAL_CONTENT:
                raise ConnectionError(f"{self._stream.address} sends the whole file instead of a range")
            with self._piece(start) as piece:
                while reached < end:
                    chunk = answer.read1(min(_READ_BYTES, end - reached))
                    if not chunk:
                        raise ConnectionError(f"{self._stream.address} ended before byte {end}")
                    with self._changed:
                        if self._stopped:
                            return
                        with as_disk_error(self._partial.parent):
                            _write(piece, chunk)
                        self._received += len(chunk)
                    reached += len(chunk)
                    yield reached
                    if reached < end and (slow := stalls.too_slow(reached)) is not None:
                        raise TimeoutError(f"{self._stream.address} has stalled: {slow}")

    @contextlib.contextmanager
    def _piece(self, start: int) -> Iterator[BinaryIO]:
        with contextlib.ExitStack() as stack:
            with as_disk_error(self._partial.parent):
                piece = stack.enter_context(open(piece_at(self._partial, start), "wb", buffering=0))
            yield piece


def _divided(ranges: list[tuple[int, int]], piece: int) -> list[tuple[int, int]]:
    return [(at, min(at + piece, end)) for start, end in ranges for at in range(start, end, piece)]


def _write(target: BinaryIO, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[target.write(view) :]
