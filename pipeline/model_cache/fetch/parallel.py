"""Fetch ranges of one file over several connections, while that is faster than one.

A thread fetches one range into its piece. The caller's thread decides how many there are, moves finished pieces into
the file's beginning, and leaves as soon as one connection is enough: retries belong to the single connection.
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
from pipeline.model_cache.fetch.errors import SourceFailed, naming_the_disk
from pipeline.model_cache.fetch.http_client import open_once, wait_of
from pipeline.model_cache.fetch.pieces import fetched_bytes, gaps, piece_at
from pipeline.model_cache.fetch.retry_policy import Patience, Watch
from pipeline.model_cache.fetch.width import Gauge, Width

_READ_BYTES = 1 << 18
_LOOK_S = 0.05
_LEAST_PIECE, _MOST_PIECE = 1 << 20, 64 << 20
_PIECE_S = 6.0  # so long a range takes: a connection's slow start is a small part of it
_PIECES = 32  # at least so many in a file, so that none is late at the end


@dataclass(frozen=True)
class Stream:
    """A file as one connection has found it: the address after redirects, and the rate in bytes a second."""

    address: str
    token: Token | None
    rate: float


class ParallelRanges:
    """The threads of one file. `advance` moves finished pieces into the beginning, except those still written, whose
    starts it is given, and returns the byte reached; `moved` is told of all bytes that have come."""

    def __init__(
        self, stream: Stream, size: int, partial: Path, patience: Patience, emit: Emit,
        advance: Callable[[Collection[int]], int], moved: Callable[[int], None],
    ) -> None:  # fmt: skip
        self._stream, self._size, self._partial, self._patience = stream, size, partial, patience
        self._emit, self._advance, self._moved = emit, advance, moved
        self._width = Width(stream.rate, patience.connections, patience.worth)
        self._received, self._not_before, self._reduced = fetched_bytes(partial), 0.0, 0.0
        # What the threads share with the caller's, under this condition.
        self._changed = threading.Condition()
        self._missing: list[tuple[int, int]] = []
        self._writing: set[int] = set()
        self._failed: list[tuple[float, Exception]] = []  # with the time at which the request began
        self._over = False

    def fetch(self) -> bool:
        """Fetch until the file is whole or one connection is enough. Return whether it was the server that did not
        want several, so that they may be tried again. Raises `SourceFailed` for the disk."""
        reached, refused = self._advance(()), False
        self._missing = _divided(gaps(self._partial, reached, self._size), self._piece_bytes(self._size - reached))
        gauge = Gauge(self._patience.measure_s, self._received)
        try:
            while reached < self._size:
                with self._changed:
                    refused = self._take_note() or refused
                    if not self._writing and self._width.count < 2:
                        break
                    self._start_threads()
                    self._changed.wait(_LOOK_S)
                    received, writing = self._received, frozenset(self._writing)
                if not self._width.settled and (rate := gauge.rate(received)) is not None:
                    self._width.measured(rate)
                    gauge = Gauge(self._patience.measure_s, received)
                reached = self._advance(writing)
                self._moved(received)
        finally:
            with self._changed:
                self._over = True  # no thread writes from here on
        return refused

    def _piece_bytes(self, left: int) -> int:
        return max(_LEAST_PIECE, min(_MOST_PIECE, int(self._stream.rate * _PIECE_S), left // _PIECES))

    def _start_threads(self) -> None:
        """Give each free connection the first range that is missing."""
        while self._missing and 1 < self._width.count > len(self._writing) and time.monotonic() >= self._not_before:
            start, end = self._missing.pop(0)
            self._writing.add(start)
            threading.Thread(target=self._bring, args=(start, end), daemon=True).start()

    def _take_note(self) -> bool:
        """Use fewer connections after failures, and say so. Return whether there were any."""
        failed, self._failed = self._failed, []
        for began, error in failed:
            if isinstance(error, SourceFailed):
                raise error
            if began < self._reduced:  # it belongs to the failures that have been answered
                continue
            pause_s, problem = self._patience.back_off_s, str(error)
            if isinstance(error, urllib.error.HTTPError):
                asked_s = wait_of({name.lower(): value for name, value in error.headers.items()})
                pause_s, problem = pause_s if asked_s is None else asked_s, f"the server answered {error.code}"
            self._width.refused(for_long=pause_s > self._patience.longest_wait_s)
            self._reduced = time.monotonic()
            self._not_before = self._reduced + pause_s
            left = f"{self._width.count} connections" if self._width.count > 1 else "one connection"
            self._emit(events.Notice(None, None, f"{problem}; continuing with {left}"))
        return bool(failed)

    def _bring(self, start: int, end: int) -> None:
        """Fetch one range into its piece, as far as it comes. Runs in a thread of its own."""
        began, reached, failure = time.monotonic(), start, None
        try:
            for now_at in self._written(start, end):
                reached = now_at
        except (SourceFailed, OSError, http.client.HTTPException) as error:
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

    def _written(self, start: int, end: int) -> Iterator[int]:
        """Write one range into its piece; yield the byte reached after each chunk."""
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={start}-{end - 1}"}
        watch, reached = Watch(self._patience, start), start
        with open_once(self._stream.address, self._patience, self._stream.token, headers) as answer:
            if answer.status != HTTPStatus.PARTIAL_CONTENT:
                raise ConnectionError(f"{self._stream.address} sends the whole file instead of a range")
            with self._piece(start) as piece:
                while reached < end:
                    chunk = answer.read1(min(_READ_BYTES, end - reached))
                    if not chunk:
                        raise ConnectionError(f"{self._stream.address} ended before byte {end}")
                    with self._changed:
                        if self._over:
                            return
                        with naming_the_disk(self._partial.parent):
                            _write(piece, chunk)
                        self._received += len(chunk)
                    reached += len(chunk)
                    yield reached
                    if reached < end and (slow := watch.too_slow(reached)) is not None:
                        raise TimeoutError(f"{self._stream.address} has stalled: {slow}")

    @contextlib.contextmanager
    def _piece(self, start: int) -> Iterator[BinaryIO]:
        with contextlib.ExitStack() as stack:
            with naming_the_disk(self._partial.parent):
                piece = stack.enter_context(open(piece_at(self._partial, start), "wb", buffering=0))
            yield piece


def _divided(ranges: list[tuple[int, int]], piece: int) -> list[tuple[int, int]]:
    return [(at, min(at + piece, end)) for start, end in ranges for at in range(start, end, piece)]


def _write(target: BinaryIO, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[target.write(view) :]
