"""The parts that all interfaces of the server share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.publishing.edits import EditStore
from pipeline.web.event_log import EventLog
from pipeline.web.job_maker import JobMaker
from pipeline.web.job_queue import Job, NewJob, Place
from pipeline.web.job_runner import JobRunner
from pipeline.web.media_roots import MediaRoots
from pipeline.web.partial_uploads import PartialUploads
from pipeline.web.refused import Refused
from pipeline.web.review.made_files import MadeFiles
from pipeline.web.review.reviews import Reviews
from pipeline.web.uploads import Upload, Uploads

QUEUED_AT_MOST = 100_000


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

    @property
    def media_place(self) -> Place:
        """Return where the results of a file in the media folders go."""
        return "beside" if self.library else "out"

    def submit(self, new: NewJob) -> Job:
        """Queue a job, or return the one that does the same. Raises `Refused` where the queue is full."""
        queue = self.runner.queue
        if queue.counts().get("queued", 0) >= QUEUED_AT_MOST:
            raise Refused(429, "serve.full", "the queue is full", retry_after_s=60)
        job = queue.add(new)
        self.runner.queued(job)
        return job

    async def store(self, stream: BinaryIO, label: str, *, samples: bool = False) -> Upload:
        """Write an uploaded file to its place, beside the other requests."""
        return await asyncio.to_thread(self.uploads.take, stream, label, samples=samples)
