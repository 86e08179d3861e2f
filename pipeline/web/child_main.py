"""Works on the jobs that a server sends: the main module of its child, which runs in the core environment.

Jobs come as JSON lines on standard input: `{"run": id, "media": path, "overrides": {}, "priority": 0, "order": null}`;
`{"end": true}` says that no more will come. Events go out as JSON lines, each with the id of its `job` where it belongs
to one. The end of standard input without that says that the server is gone: work stops at once, and finished steps
stay.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TextIO

from pipeline.base.errors import EXIT_OK, ReelError
from pipeline.base.events import Event, ItemStarted, event_data
from pipeline.base.project import CONFIG, project_file
from pipeline.base.settings import load_settings
from pipeline.engine.batch import run_batch
from pipeline.engine.media_list import Request
from pipeline.engine.project import open_project
from pipeline.plan.registry import PARAMETERS
from shared.processes import leave_with_group

_END_LIMIT_S = 10.0  # for workers, after the server is gone
_Job = dict[str, Any] | None  # None: no more will come


class Jobs:
    """Requests as they arrive on a stream, and the id of the job that each event belongs to."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._arrived: deque[_Job] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._more: asyncio.Event | None = None
        self._lock = threading.Lock()
        self._unstarted: deque[str] = deque()  # requests that were taken, in their order
        self._of_item: dict[str, str] = {}
        threading.Thread(target=self._read, daemon=True).start()

    async def __aiter__(self) -> AsyncIterator[Request]:
        """Yield the requests, in the order of their arrival."""
        with self._lock:
            self._loop, self._more = asyncio.get_running_loop(), asyncio.Event()
        while True:
            while not self._arrived:
                self._more.clear()
                if not self._arrived:
                    await self._more.wait()
            job = self._arrived.popleft()
            if job is None:
                return
            self._unstarted.append(job["run"])
            order = Path(job["order"]) if job["order"] else None
            yield Request(Path(job["media"]), job["overrides"], job["priority"], order=order)

    def job_of(self, event: Event) -> str | None:
        """Return the id of an event's job. Items start in the order of their requests."""
        if isinstance(event, ItemStarted) and self._unstarted:
            self._of_item[event.item] = self._unstarted.popleft()
        item = getattr(event, "item", None)
        return self._of_item.get(item) if item else None

    def _read(self) -> None:
        for line in self._stream:
            job = json.loads(line)
            self._arrive(None if job.get("end") else job)
            if job.get("end"):
                return
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_END_LIMIT_S)
        leave_with_group()

    def _arrive(self, job: _Job) -> None:
        with self._lock:
            self._arrived.append(job)
            if self._loop and self._more:
                self._loop.call_soon_threadsafe(self._more.set)


class Lines:
    """Standard output of this process, one JSON object a line. A server that is gone reads none."""

    def __init__(self) -> None:
        self._stream = open(os.dup(1), "w", encoding="utf-8", buffering=1)  # noqa: SIM115 - open to the end
        os.dup2(2, 1)  # what libraries print goes to the log
        self._lock = threading.Lock()

    def write(self, data: dict[str, object]) -> None:
        """Write one line."""
        line = json.dumps(data, default=str) + "\n"
        with self._lock:
            try:
                self._stream.write(line)
            except (BrokenPipeError, ValueError):
                return


def main(words: list[str]) -> int:
    """Work on the jobs with the settings in `words`: one JSON object by dotted names. Returns the exit code."""
    lines = Lines()
    jobs = Jobs(sys.stdin)
    try:
        flags = {**json.loads(words[0]), "progress": "none", "wait": "forever"}
        settings, _ = load_settings(CONFIG / "defaults.toml", project_file(), os.environ, flags, lambda: PARAMETERS)

        def emit(event: Event) -> None:
            lines.write({**event_data(event), "job": jobs.job_of(event)})

        run_batch(jobs, open_project(settings), emit, purpose="reel serve")
    except ReelError as error:
        lines.write({"event": "ChildFailed", "code": error.code, "message": error.message, "hint": error.hint})
        return error.exit_code
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
