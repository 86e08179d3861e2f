"""Download one file over HTTP into the cache: resumed from the byte reached, watched for stalls, and verified.

Both kinds of source use this, the hub and addresses of single files. Each chunk is written at once and unbuffered, so
that a killed process leaves on the disk all that it had received.
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
from pipeline.model_cache.fetch import ReportOffset
from pipeline.model_cache.fetch.errors import FetchError, as_disk_error
from pipeline.model_cache.fetch.http_client import TransferInterrupted, open_once, origin_of, with_retries
from pipeline.model_cache.fetch.parallel import ParallelRanges, Stream
from pipeline.model_cache.fetch.pieces import drop_pieces, pieces_of, ready
from pipeline.model_cache.fetch.retry_policy import RetryPolicy, StallDetector
from pipeline.model_cache.fetch.width import Gauge
from pipeline.model_cache.manifest import LockedFile
from shared.copying import hash_stream

_READ_BYTES = 1 << 20
_TRIALS = 3  # of several connections, with a server that has refused or cut them
_TRIAL_SPANS = 6.0  # the time left must be this many measurements, or a trial takes longer than it can save


@dataclass(frozen=True)
class Download:
    """A file to download: its address, its locked bytes, and the path of what has been received so far."""

    address: str
    file: LockedFile
    partial: Path
    token: Token | None = None


def download(job: Download, policy: RetryPolicy, emit: Emit, report: ReportOffset) -> None:
    """Download the file to `job.partial`, verified and flushed to the disk.

    Raises `HttpStatusError` or `ConnectionFailed` for the server, and `FetchError` for the disk and for wrong bytes.
    """
    transfer = _Transfer(job, policy, emit, report)
    resumed = transfer.reached > 0 or bool(pieces_of(job.partial))
    with_retries(transfer.resume, policy, emit)
    if resumed and not transfer.is_correct():  # the older part may be damaged, for example by a power cut
        emit(events.Notice(None, None, f"{job.address} does not match the part fetched before; starting over"))
        transfer.start_over()
        with_retries(transfer.resume, policy, emit)
    if not transfer.is_correct():
        job.partial.unlink(missing_ok=True)
        raise _other_content(job, f"has sha256 {transfer.sha256}, expected {job.file.sha256}; the download was deleted")


def _other_content(job: Download, what: str) -> FetchError:
    hint = "the server, or a proxy or a login page in between, delivers other content: see what a browser shows there"
    return FetchError("model.wrong-bytes", f"{job.address} {what}", hint)


class _Transfer:
    """The state of one download between its tries."""

    def __init__(self, job: Download, policy: RetryPolicy, emit: Emit, report: ReportOffset) -> None:
        self._job, self._policy, self._emit, self._report = job, policy, emit, report
        self._trials = _TRIALS
        self.reached, self._digest = 0, hashlib.sha256()
        if job.partial.exists() and job.partial.stat().st_size <= job.file.size:
            with open(job.partial, "rb", buffering=0) as stream:
                self.reached = hash_stream(stream, self._digest)
        self._furthest = self.reached

    @property
    def sha256(self) -> str:
        """Return the digest of the bytes received so far."""
        return self._digest.hexdigest()

    def is_correct(self) -> bool:
        """Tell whether the received bytes are the file."""
        return self.sha256 == self._job.file.sha256

    def start_over(self) -> None:
        """Discard everything received."""
        self._discard()
        self._furthest = 0

    def _discard(self) -> None:
        self.reached, self._digest = 0, hashlib.sha256()
        drop_pieces(self._job.partial)

    def resume(self) -> None:
        """Fetch from the byte reached to the end. Raises `TransferInterrupted` when a request ends before."""
        job = self._job
        while self._absorb_pieces(()) != job.file.size or not job.partial.exists():
            stream = self._request()
            if stream is not None:
                ranges = ParallelRanges(
                    stream, job.file.size, job.partial, self._policy, self._emit, self._absorb_pieces, self._report
                )
                self._trials = self._trials - 1 if ranges.fetch() else 0

    def _request(self) -> Stream | None:
        """Make one request, to the end or to the next piece. Return early with the stream if several connections may be
        faster."""
        job = self._job
        headers = {"Accept-Encoding": "identity"}
        if self.reached:
            headers["Range"] = f"bytes={self.reached}-"
        with open_once(job.address, self._policy, job.token, headers) as answer:
            if self.reached and answer.status != HTTPStatus.PARTIAL_CONTENT:  # it sends everything again
                self._discard()
            length = answer.length if answer.status == HTTPStatus.OK else None
            if length is not None and length < job.file.size:
                raise _other_content(job, f"has {length} bytes, expected {job.file.size}")
            with self._open_partial() as target:
                return self._receive(answer, target)

    @contextlib.contextmanager
    def _open_partial(self) -> Iterator[int]:
        """Yield the partial file's descriptor, at the byte reached; flush it to the disk at the end."""
        folder = self._job.partial.parent
        with as_disk_error(folder):
            target = os.open(self._job.partial, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            with as_disk_error(folder):
                os.ftruncate(target, self.reached)
                os.lseek(target, self.reached, os.SEEK_SET)
            yield target
            with as_disk_error(folder):
                os.fsync(target)
        finally:
            os.close(target)

    def _receive(self, answer: http.client.HTTPResponse, target: int) -> Stream | None:
        size, stalls = self._job.file.size, StallDetector(self._policy, self.reached)
        pieces = pieces_of(self._job.partial)
        end = min([*pieces, size])
        ahead_bytes = sum(path.stat().st_size for path in pieces.values())
        gauge = Gauge(self._policy.measure_s, self.reached)
        while self.reached < end:
            try:
                chunk = answer.read1(min(_READ_BYTES, end - self.reached))
            except (OSError, http.client.HTTPException) as error:
                raise self._interrupted(error) from error
            if not chunk:  # not an error for the HTTP client
                ended = ConnectionError(f"{self._job.address} ended after {self.reached} of {size} bytes")
                raise self._interrupted(ended)
            self._append(chunk, target)
            self._report(self.reached + ahead_bytes)
            if self.reached < end and (slow := stalls.too_slow(self.reached)) is not None:
                raise TransferInterrupted(TimeoutError(f"{self._job.address} has stalled: {slow}"), progressed=False)
            if self._trials and (rate := gauge.rate(self.reached)) is not None:
                gauge = Gauge(self._policy.measure_s, self.reached)
                if self._may_be_faster(answer, rate):
                    return self._stream(answer, rate)
        return None

    def _interrupted(self, reason: Exception) -> TransferInterrupted:
        """Return the error for a request that ended early. A server that starts over each time, and ends no later than
        before, makes no progress: it would be asked for ever."""
        progressed = self.reached > self._furthest
        self._furthest = max(self._furthest, self.reached)
        return TransferInterrupted(reason, progressed=progressed)

    def _append(self, chunk: bytes, target: int) -> None:
        view = memoryview(chunk)
        with as_disk_error(self._job.partial.parent):
            while view:
                view = view[os.write(target, view) :]
        self._digest.update(chunk)
        self.reached += len(chunk)

    def _absorb_pieces(self, still_written: Collection[int]) -> int:
        """Move the pieces that continue the beginning into it, except those still written; return the byte reached."""
        chunks = ready(self._job.partial, self.reached, still_written)
        if (first := next(chunks, None)) is not None:
            with self._open_partial() as target:
                for chunk in itertools.chain([first], chunks):
                    self._append(chunk, target)
        if self.reached > self._job.file.size:  # pieces of another file
            self.start_over()
        return self.reached

    def _may_be_faster(self, answer: http.client.HTTPResponse, rate: float) -> bool:
        """Tell whether several connections are worth a trial: the server delivers ranges, and much is left."""
        left = self._job.file.size - self.reached
        ranges = answer.status == HTTPStatus.PARTIAL_CONTENT or answer.headers.get("Accept-Ranges", "") == "bytes"
        policy = self._policy
        return (
            ranges and policy.connections > 1 and left >= policy.wide_from_bytes
            and left >= rate * policy.measure_s * _TRIAL_SPANS
        )  # fmt: skip

    def _stream(self, answer: http.client.HTTPResponse, rate: float) -> Stream:
        """Return the address after redirects, so that requests for ranges need no redirect of the hub."""
        own = origin_of(answer.geturl()) == origin_of(self._job.address)
        return Stream(answer.geturl(), self._job.token if own else None, rate)
