"""The parts that all interfaces of the server share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.publishing.edits import EditStore
from pipeline.web.access import CLIENT, is_loopback
from pipeline.web.event_log import EventLog
from pipeline.web.job_maker import JobMaker
from pipeline.web.job_queue import Job, JobQueue, NewJob, Place
from pipeline.web.job_runner import JobRunner
from pipeline.web.media_roots import MediaRoots
from pipeline.web.partial_uploads import PartialUploads
from pipeline.web.refused import Refused
from pipeline.web.review.made_files import MadeFiles
from pipeline.web.review.reviews import Reviews
from pipeline.web.uploads import Upload, Uploads

QUEUED_AT_MOST = 100_000
QUEUED_BY_ONE = 10_000
"""So many jobs of one address wait at most. This machine itself may fill the queue."""


class Shares:
    """The jobs of each address since the server started."""

    def __init__(self, at_most: int = QUEUED_BY_ONE) -> None:
        self._at_most = at_most
        self._jobs: dict[str, list[str]] = {}

    def check(self, client: str, queue: JobQueue) -> None:
        """Raise `Refused` if as many jobs of an address are queued as may be."""
        jobs = self._jobs.get(client, [])
        if is_loopback(client) or len(jobs) < self._at_most:
            return
        waiting = [name for name in jobs if (job := queue.find(name)) and job.state == "queued"]
        self._jobs[client] = waiting
        if len(waiting) >= self._at_most:
            text = f"{len(waiting)} jobs of {client} are queued, the most for one address"
            raise Refused(429, "serve.full", text, retry_after_s=60)

    def note(self, client: str, job: Job) -> None:
        """Note the job of an address."""
        if not is_loopback(client):
            self._jobs.setdefault(client, []).append(job.id)


@dataclass(frozen=True)
class Service:
    """Parts of one server. `answers` is the folder of results that are sent back. `library`: results of files in the
    media folders go beside them."""

    runner: JobRunner
    events: EventLog
    maker: JobMaker
    roots: MediaRoots
    uploads: Uploads
    partial: PartialUploads
    answers: Path
    library: bool
    reviews: Reviews
    made: MadeFiles
    edits: EditStore
    shares: Shares

    @property
    def media_place(self) -> Place:
        """Return where the results of a file in the media folders go."""
        return "beside" if self.library else "out"

    def submit(self, new: NewJob) -> Job:
        """Queue a job, or return the one that does the same. Raises `Refused` where the queue is full."""
        queue = self.runner.queue
        if queue.counts().get("queued", 0) >= QUEUED_AT_MOST:
            raise Refused(429, "serve.full", "the queue is full", retry_after_s=60)
        self.shares.check(CLIENT.get(), queue)
        job = queue.add(new)
        self.shares.note(CLIENT.get(), job)
        self.runner.queued(job)
        return job

    async def store(self, stream: BinaryIO, label: str, *, samples: bool = False, delay_ms: int = 0) -> Upload:
        """Write an uploaded file to its place, beside the other requests; see `Uploads.take`."""
        return await asyncio.to_thread(self.uploads.take, stream, label, samples=samples, delay_ms=delay_ms)
