"""One file over HTTP into the cache: resumed from the byte reached, watched while it comes, right or not there.

Hub files and files at addresses of their own come the same way, so both kinds of source use this; a library for the
second alone would bring no resuming and a second set of habits. Each chunk is written at once and unbuffered: what a
killed process leaves on the disk is what it had received.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from pipeline.base import events
from pipeline.base.events import Emit
from pipeline.base.secret_file import Token
from pipeline.model_cache.fetch import Moved
from pipeline.model_cache.fetch.errors import disk_refusal, refusal
from pipeline.model_cache.fetch.http_client import Interrupted, open_once, patiently
from pipeline.model_cache.fetch.retry_policy import Patience
from pipeline.model_cache.manifest import LockedFile

_READ_BYTES = 1 << 20


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
    transfer = _Transfer(job, patience, moved)
    resumed = transfer.reached > 0
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

    def __init__(self, job: Download, patience: Patience, moved: Moved) -> None:
        self._job, self._patience, self._moved = job, patience, moved
        self.reached, self._digest = 0, hashlib.sha256()
        if job.partial.exists() and job.partial.stat().st_size <= job.file.size:
            with open(job.partial, "rb", buffering=0) as stream:
                while chunk := stream.read(_READ_BYTES):
                    self._digest.update(chunk)
                    self.reached += len(chunk)

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

    def go_on(self) -> None:
        """One request, from the byte reached to the end. Raises `Interrupted` when it ends before."""
        job = self._job
        headers = {"Accept-Encoding": "identity"}
        if self.reached:
            headers["Range"] = f"bytes={self.reached}-"
        if self.reached == job.file.size and self.reached:
            return
        with open_once(job.address, self._patience, job.token, headers) as answer:
            if self.reached and answer.status != HTTPStatus.PARTIAL_CONTENT:  # it sends everything again
                self.start_over()
            with _disk(job.partial.parent):
                target = os.open(job.partial, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            try:
                with _disk(job.partial.parent):
                    os.ftruncate(target, self.reached)
                    os.lseek(target, self.reached, os.SEEK_SET)
                self._take(answer, target)
                with _disk(job.partial.parent):
                    os.fsync(target)
            finally:
                os.close(target)

    def _take(self, answer: http.client.HTTPResponse, target: int) -> None:
        size, began_at, watch = self._job.file.size, self.reached, _Watch(self._patience, self.reached)
        while self.reached < size:
            try:
                chunk = answer.read1(min(_READ_BYTES, size - self.reached))
            except (OSError, http.client.HTTPException) as error:
                raise Interrupted(error, moved=self.reached > began_at) from error
            if not chunk:  # not an error for the HTTP client
                ended = ConnectionError(f"{self._job.address} ended after {self.reached} of {size} bytes")
                raise Interrupted(ended, moved=self.reached > began_at)
            view = memoryview(chunk)
            with _disk(self._job.partial.parent):
                while view:
                    view = view[os.write(target, view) :]
            self._digest.update(chunk)
            self.reached += len(chunk)
            self._moved(self.reached)
            if self.reached < size and (slow := watch.too_slow(self.reached)) is not None:
                raise Interrupted(TimeoutError(f"{self._job.address} has stalled: {slow}"), moved=False)


class _Watch:
    """Sees when bytes come so slowly that a new connection is the better bet."""

    def __init__(self, patience: Patience, reached: int) -> None:
        self._patience, self._since, self._from = patience, time.monotonic(), reached

    def too_slow(self, reached: int) -> str | None:
        now = time.monotonic()
        seconds, came = now - self._since, reached - self._from
        if seconds < self._patience.stall_s:
            return None
        self._since, self._from = now, reached
        if came / seconds >= self._patience.stall_bytes_per_s:
            return None
        return f"{came} bytes in {seconds:.0f} s"


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """Turn an `OSError` about a file into an error of its own, because network errors share that class."""
    try:
        yield
    except OSError as error:
        raise disk_refusal(error, folder) from error
