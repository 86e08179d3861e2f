"""Runs the jobs of the queue in a child process, which is there only while there is work.

While it is there, it has the lock of the result store; afterwards the command line may have it. A child that is killed
is started again, and its unfinished jobs with it: their finished steps are in the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from pipeline.base.project import CODE_ROOT
from pipeline.web.event_log import EventLog
from pipeline.web.job_queue import Job, JobQueue, Place, State, job_data
from pipeline.web.job_work import WorkBoard
from shared.processes import group_options, kill_group

TOKEN = "REEL_TOKEN"  # the variable that may hold the server's token, which the child has no use for
_ATTEMPTS = 3
_END_LIMIT_S = 8.0  # a container gives a process 10 s to end
_LINE_BYTES = 16 << 20
_NOT_LOGGED = {"WorkerMeasured", "CardMeasured"}  # once a second and worker, they would push the others out of the log
_STATES: Mapping[str, State] = {"done": "done", "reused": "done", "failed": "failed", "skipped": "skipped"}


@dataclass(frozen=True)
class ChildPlan:
    """How the child is started: its interpreter, its settings by dotted names for each place of results, and the file
    for what it prints. `at_once` jobs are sent to it at the same time; it stays for `linger_s` without work."""

    python: Path
    settings: Mapping[Place, Mapping[str, JsonValue]]
    log: Path
    at_once: int
    linger_s: float

    def settings_of(self, place: Place) -> Mapping[str, JsonValue]:
        """Return the settings for a place of results. Another output folder has the settings of `out`."""
        known = self.settings.get(place)
        return {**self.settings["out"], "output_dir": place} if known is None else known

    def is_for(self, place: Place, other: Place) -> bool:
        """Tell whether a child for one place also does the jobs of another: of the output folder by its path."""
        return place == other or self.settings_of(place) == self.settings_of(other)


class JobRunner:
    """The queue and its child. All methods belong to one event loop."""

    def __init__(self, queue: JobQueue, log: EventLog, plan: ChildPlan) -> None:
        self.queue, self._log, self._plan = queue, log, plan
        self.board = WorkBoard()
        self._changed = asyncio.Event()
        self._ended: dict[str, set[asyncio.Event]] = {}
        self._outcome: dict[str, dict[str, Any]] = {}  # what is known of the jobs at work
        self._at_work: set[str] = set()
        self._suspect = False  # the job at work is one during which a child has ended before
        self._child: asyncio.subprocess.Process | None = None
        self._failure: dict[str, str | None] | None = None  # an error that concerns every job
        self._stopping = False
        self._ends_child = False  # on purpose: its jobs are queued again

    async def work(self) -> None:
        """Work on the queue until `stop`."""
        for cut_off in self.queue.recover():
            self._announce(cut_off)
        while not self._stopping:
            job = self.queue.next()
            if job is None:
                await self._wait(None)
            else:
                await self._use_child(job.place)

    async def stop(self) -> None:
        """End the child. Its jobs go on when a server starts again."""
        self._stopping = True
        await self._end_child()
        self._changed.set()

    def queued(self, job: Job) -> None:
        """Tell that a job was queued or changed."""
        self._announce(job)
        self._changed.set()

    async def cancel(self, job: Job) -> Job:
        """Cancel a job that has not ended. If it is at work, the child is ended, and the other jobs begin again."""
        ended = self.queue.end(job.id, "cancelled", work=self.board.of(job.id))
        self._announce(ended)
        if job.id in self._at_work:
            await self._end_child()
        self._changed.set()
        return ended

    async def ended(self, name: str) -> Job:
        """Wait until a job has ended, and return it."""
        event = asyncio.Event()
        self._ended.setdefault(name, set()).add(event)
        try:
            while not (job := self.queue.job(name)).has_ended:
                event.clear()
                await event.wait()
            return job
        finally:
            self._ended[name].discard(event)
            if not self._ended[name]:
                del self._ended[name]

    async def _use_child(self, place: Place) -> None:
        """Start a child, send it the jobs of one place, and read its events until it ends."""
        self._failure, self._ends_child = None, False
        with open(self._plan.log, "ab") as log:
            child = self._child = await asyncio.create_subprocess_exec(
                self._plan.python, "-P", "-m", "pipeline.web.child_main", json.dumps(self._plan.settings_of(place)),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log, limit=_LINE_BYTES,
                env=_variables(), **group_options(),
            )  # fmt: skip
        reading = asyncio.create_task(self._read(child))
        try:
            await self._feed(child, place, reading)
            await reading
        finally:
            reading.cancel()
            with contextlib.suppress(ProcessLookupError):
                await asyncio.shield(self._see_out(child))
            self._child = None
            self._after(child.returncode or 0)

    async def _feed(self, child: asyncio.subprocess.Process, place: Place, reading: asyncio.Task[None]) -> None:
        assert child.stdin
        while not (reading.done() or self._stopping or self._ends_child):
            job = self.queue.next()
            if job and self._plan.is_for(place, job.place) and self._has_room_for(job):
                await self._send(child.stdin, self.queue.begin(job.id))
                continue
            idle = job is None and not self._at_work
            if job and not self._plan.is_for(place, job.place) and not self._at_work:
                break
            if not await self._wait(self._plan.linger_s if idle else None, reading) and idle:
                break
        with contextlib.suppress(ConnectionError):
            child.stdin.write(b'{"end": true}\n')
            await child.stdin.drain()

    def _has_room_for(self, job: Job) -> bool:
        """Tell whether a job may begin beside those at work. One during which a child has ended is done alone, so that
        no other job ends with the next child."""
        if job.attempts or self._suspect:
            return not self._at_work
        return len(self._at_work) < self._plan.at_once

    async def _send(self, stream: asyncio.StreamWriter, job: Job) -> None:
        self._at_work.add(job.id)
        self._suspect = job.attempts > 1
        self._outcome[job.id] = {"files": []}
        self._announce(job)
        line = {
            "run": job.id, "media": job.media, "overrides": job.overrides, "priority": job.priority,
            "order": job.corrections,
        }  # fmt: skip
        with contextlib.suppress(ConnectionError):  # it has ended; `_after` sees to its jobs
            stream.write(json.dumps(line).encode() + b"\n")
            await stream.drain()

    async def _read(self, child: asyncio.subprocess.Process) -> None:
        assert child.stdout
        async for line in child.stdout:
            event = json.loads(line)
            self._take_event(event.pop("event"), event)
        self._changed.set()

    def _take_event(self, kind: str, event: dict[str, Any]) -> None:
        """Note what an event tells of its job, and pass it on."""
        name = event.get("job")
        outcome = self._outcome.get(name) if name else None
        if kind == "ChildFailed":
            self._failure = {key: event[key] for key in ("code", "message", "hint")}
            return
        self.board.note(kind, event)
        if kind not in _NOT_LOGGED:
            self._log.add(kind, event)
        if outcome is None or name is None:
            return
        if kind == "Published":
            outcome["files"].append(event["path"])
        elif kind == "StepFailedEvent" and "error" not in outcome:
            outcome["error"] = {key: event[key] for key in ("code", "message", "hint")}
        elif kind == "ItemFinished":
            outcome |= {"folder": event["folder"], "reason": event["reason"]}
            self._finish(name, _STATES[event["state"]], outcome)

    def _finish(self, name: str, state: State, outcome: Mapping[str, Any]) -> None:
        self._at_work.discard(name)
        self._outcome.pop(name, None)
        work = self.board.end(name)
        if self.queue.job(name).state == "running":  # it may have been cancelled, and queued again
            self._announce(self.queue.end(name, state, **outcome, work=work))
        self._changed.set()

    def _after(self, code: int) -> None:
        """Decide about the jobs that an ended child has not finished."""
        for name in sorted(self._at_work):
            job = self.queue.job(name)
            if self._stopping or self._ends_child or job.has_ended:
                if not job.has_ended:
                    self._announce(self.queue.again(name, counts=False))
            elif self._failure:
                self._finish(name, "failed", {"error": self._failure})
            elif job.attempts >= _ATTEMPTS:
                text = f"the process that works on jobs ended {_ATTEMPTS} times (the last time with {code}) during this"
                hint = f"its messages are in {self._plan.log}"
                self._finish(name, "failed", {"error": {"code": "serve.child", "message": text, "hint": hint}})
            else:
                self._announce(self.queue.again(name))
        self._at_work.clear()
        self._outcome.clear()
        self.board.clear()

    async def _end_child(self) -> None:
        """End the child without its jobs. Does nothing if there is none."""
        self._ends_child = True
        self._changed.set()
        if self._child and self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._child.terminate()
            await self._see_out(self._child)

    async def _see_out(self, child: asyncio.subprocess.Process) -> None:
        """Wait for the end of a child, which is killed if that takes long."""
        try:
            async with asyncio.timeout(_END_LIMIT_S if self._ends_child or self._stopping else None):
                await child.wait()
        except TimeoutError:
            kill_group(child.pid)
            await child.wait()

    async def _wait(self, limit_s: float | None, task: asyncio.Task[None] | None = None) -> bool:
        """Wait for a change or the end of `task`, for `limit_s` at most. Return False if nothing came."""
        changed = asyncio.create_task(self._changed.wait())
        tasks = {changed, *([task] if task else [])}
        done, _ = await asyncio.wait(tasks, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        changed.cancel()
        self._changed.clear()
        return bool(done)

    def _announce(self, job: Job) -> None:
        self._log.add("Job", job_data(job))
        if job.has_ended:
            for event in self._ended.get(job.id, ()):
                event.set()


def _variables() -> dict[str, str]:
    return {**{name: value for name, value in os.environ.items() if name != TOKEN}, "PYTHONPATH": str(CODE_ROOT)}
