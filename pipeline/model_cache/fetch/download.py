"""One file over HTTP into the cache: resumed from the byte reached, watched while it comes, right or not there.

Hub files and files at addresses of their own come the same way, so both kinds of source use this; a library for the
second alone would bring no resuming and a second set of habits. Each chunk is written at once and unbuffered: what a
killed process leaves on the disk is what it had received.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import itertools
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from pipeline.base import events
from pipeline.base.events import Emit
from pipeline.base.secret_file import Token
from pipeline.model_cache.fetch import Moved
from pipeline.model_cache.fetch.errors import naming_the_disk, refusal
from pipeline.model_cache.fetch.http_client import Interrupted, open_once, origin_of, patiently
from pipeline.model_cache.fetch.parallel import ParallelRanges, Stream
from pipeline.model_cache.fetch.pieces import drop_pieces, pieces_of, ready
from pipeline.model_cache.fetch.retry_policy import Patience, Watch
from pipeline.model_cache.fetch.width import Gauge
from pipeline.model_cache.manifest import LockedFile
from shared.copying import hash_stream

_READ_BYTES = 1 << 20
_TRIALS = 3  # of several connections, for a server that has refused or cut them
_TRIAL_SPANS = 6.0  # so many measurements must be saved for a trial to pay


@dataclass(frozen=True)
class Download:
    """One file to bring: from where, as which bytes, and where its beginning lies until it is whole."""

    address: str
    file: LockedFile
    partial: Path
    token: Token | None = None


def download(job: Download, patience: Patience, emit: Emit, moved: Moved) -> None:
    """Have all bytes of the file at `job.partial`, verified and flushed to the disk.

    Raises `Refused` or `Unreachable` for the server, and `SourceFailed` for the disk and for wrong bytes.
    """
    transfer = _Transfer(job, patience, emit, moved)
    resumed = transfer.reached > 0 or bool(pieces_of(job.partial))
    patiently(transfer.go_on, patience, emit)
    if resumed and not transfer.is_right():  # the older part may be at fault, after a power cut say
        emit(events.Notice(None, None, f"{job.address} does not match the part fetched before; starting over"))
        transfer.start_over()
        patiently(transfer.go_on, patience, emit)
    if not transfer.is_right():
        job.partial.unlink(missing_ok=True)
        raise refusal(
            "model.wrong-bytes",
            f"{job.address} has sha256 {transfer.sha256}, expected {job.file.sha256}; the download was deleted",
            "the server, or a proxy, delivers content that does not match the lock",
        )


class _Transfer:
    """The state of one download between its tries."""

    def __init__(self, job: Download, patience: Patience, emit: Emit, moved: Moved) -> None:
        self._job, self._patience, self._emit, self._moved = job, patience, emit, moved
        self._trials = _TRIALS
        self.reached, self._digest = 0, hashlib.sha256()
        if job.partial.exists() and job.partial.stat().st_size <= job.file.size:
            with open(job.partial, "rb", buffering=0) as stream:
                self.reached = hash_stream(stream, self._digest)

    @property
    def sha256(self) -> str:
        """Return the digest of the bytes received so far."""
        return self._digest.hexdigest()

    def is_right(self) -> bool:
        """Return whether the received bytes are the file."""
        return self.sha256 == self._job.file.sha256

    def start_over(self) -> None:
        """Forget what has come."""
        self.reached, self._digest = 0, hashlib.sha256()
        drop_pieces(self._job.partial)

    def go_on(self) -> None:
        """Fetch from the byte reached to the end. Raises `Interrupted` when a request ends before."""
        job = self._job
        while self._advance(()) != job.file.size or not job.partial.exists():
            stream = self._request()
            if stream is not None:
                ranges = ParallelRanges(
                    stream, job.file.size, job.partial, self._patience, self._emit, self._advance, self._moved
                )
                self._trials = self._trials - 1 if ranges.fetch() else 0

    def _request(self) -> Stream | None:
        """Make one request, to the end or to the next piece; return early with the stream where several connections
        may be faster."""
        job = self._job
        headers = {"Accept-Encoding": "identity"}
        if self.reached:
            headers["Range"] = f"bytes={self.reached}-"
        with open_once(job.address, self._patience, job.token, headers) as answer:
            if self.reached and answer.status != HTTPStatus.PARTIAL_CONTENT:  # it sends everything again
                self.start_over()
            with self._written() as target:
                return self._take(answer, target)

    @contextlib.contextmanager
    def _written(self) -> Iterator[int]:
        """Yield the partial file's descriptor, at the byte reached; flush it to the disk at the end."""
        folder = self._job.partial.parent
        with naming_the_disk(folder):
            target = os.open(self._job.partial, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            with naming_the_disk(folder):
                os.ftruncate(target, self.reached)
                os.lseek(target, self.reached, os.SEEK_SET)
            yield target
            with naming_the_disk(folder):
                os.fsync(target)
        finally:
            os.close(target)

    def _take(self, answer: http.client.HTTPResponse, target: int) -> Stream | None:
        size, began_at, watch = self._job.file.size, self.reached, Watch(self._patience, self.reached)
        ahead = pieces_of(self._job.partial)
        end = min([*ahead, size])
        more, gauge = sum(path.stat().st_size for path in ahead.values()), Gauge(self._patience.measure_s, self.reached)
        while self.reached < end:
            try:
                chunk = answer.read1(min(_READ_BYTES, end - self.reached))
            except (OSError, http.client.HTTPException) as error:
                raise Interrupted(error, moved=self.reached > began_at) from error
            if not chunk:  # not an error for the HTTP client
                ended = ConnectionError(f"{self._job.address} ended after {self.reached} of {size} bytes")
                raise Interrupted(ended, moved=self.reached > began_at)
            self._append(chunk, target)
            self._moved(self.reached + more)
            if self.reached < end and (slow := watch.too_slow(self.reached)) is not None:
                raise Interrupted(TimeoutError(f"{self._job.address} has stalled: {slow}"), moved=False)
            if self._trials and (rate := gauge.rate(self.reached)) is not None:
                gauge = Gauge(self._patience.measure_s, self.reached)
                if self._may_be_faster(answer, rate):
                    return self._stream(answer, rate)
        return None

    def _append(self, chunk: bytes, target: int) -> None:
        view = memoryview(chunk)
        with naming_the_disk(self._job.partial.parent):
            while view:
                view = view[os.write(target, view) :]
        self._digest.update(chunk)
        self.reached += len(chunk)

    def _advance(self, still_written: Collection[int]) -> int:
        """Move the pieces that continue the beginning into it, except those still written; return the byte reached."""
        chunks = ready(self._job.partial, self.reached, still_written)
        if (first := next(chunks, None)) is not None:
            with self._written() as target:
                for chunk in itertools.chain([first], chunks):
                    self._append(chunk, target)
        if self.reached > self._job.file.size:  # pieces of another file
            self.start_over()
        return self.reached

    def _may_be_faster(self, answer: http.client.HTTPResponse, rate: float) -> bool:
        """Return whether several connections are worth a trial: the server gives ranges, and much is left."""
        left = self._job.file.size - self.reached
        ranges = answer.status == HTTPStatus.PARTIAL_CONTENT or answer.headers.get("Accept-Ranges", "") == "bytes"
        patience = self._patience
        return (
            ranges and patience.connections > 1 and left >= patience.wide_from_bytes
            and left >= rate * patience.measure_s * _TRIAL_SPANS
        )  # fmt: skip

    def _stream(self, answer: http.client.HTTPResponse, rate: float) -> Stream:
        """Return where the bytes come from: ranges asked for there spare the hub a redirect each."""
        own = origin_of(answer.geturl()) == origin_of(self._job.address)
        return Stream(answer.geturl(), self._job.token if own else None, rate)
