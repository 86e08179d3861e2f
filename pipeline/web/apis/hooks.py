"""Hooks, `/hooks/NAME`: a media server, or a program beside it, tells that a film is new, and it becomes a job."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.web.apis.bodies import json_body, json_object
from pipeline.web.apis.hook_payloads import SENDERS, Notification, read_payload
from pipeline.web.apis.media_servers import MediaServer, paths_of, refresh
from pipeline.web.job_maker import Ordered
from pipeline.web.job_queue import Job
from pipeline.web.refused import Refused
from pipeline.web.replies import json_reply
from pipeline.web.service import Service

_FIELDS = ("payload", "data")  # where forms of Plex and Emby hold their JSON
_PAYLOAD_BYTES = 1 << 20


class HooksApi:
    """Handlers of `/hooks`. `servers` are the media servers that the user named, by their kind."""

    def __init__(self, service: Service, servers: Mapping[str, MediaServer]) -> None:
        self._service, self._servers = service, servers
        self._looking: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        """Return the routes of this interface."""
        return [Route("/hooks/{sender}", self.take, methods=["POST"])]

    async def take(self, request: Request) -> Response:
        """Queue the films that a message tells of: 202 with their jobs; 200 for a test and for what is not new."""
        sender = request.path_params["sender"]
        notification = read_payload(sender, await _payload(request))
        if notification is None:
            raise Refused(404, "serve.hook", f"there is no such hook; there are {', '.join(SENDERS)}")
        if notification.kind != "new":
            return json_reply({"taken": False, "kind": notification.kind})
        if notification.item:
            return self._look_up(sender, notification)
        jobs, problems = self._submit_all(notification.paths, sender)
        if not jobs:
            raise problems[0]
        skipped = {"skipped": [problem.message for problem in problems]} if problems else {}
        return json_reply({"taken": True, "jobs": [job.id for job in jobs], **skipped}, 202)

    def _look_up(self, sender: str, notification: Notification) -> Response:
        """Ask the sender's own server for the path, which may take a while."""
        server = self._servers.get(sender)
        if server is None:
            hint = f"start reel with `--media-server {sender}=URL`"
            raise Refused(422, "serve.media-server", "the message has no path, and no server to ask is known", hint)
        task = asyncio.create_task(self._find_and_submit(server, notification.item))
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)
        return json_reply({"taken": True, "item": notification.item}, 202)

    async def _find_and_submit(self, server: MediaServer, item: str) -> None:
        paths = await asyncio.to_thread(paths_of, server, item)
        jobs, refusals = self._submit_all(paths, server.kind)
        problems = [refusal.message for refusal in refusals] if paths else ["the server does not know the item"]
        if self._service.library:
            ended = [await self._service.runner.ended(job.id) for job in jobs]
            if any(job.state == "done" for job in ended) and (text := await asyncio.to_thread(refresh, server, item)):
                problems.append(text)
        for text in problems:
            data = {"item": None, "step": None, "text": f"{server.kind}: item {item}: {text}", "job": None}
            self._service.events.add("Notice", data)

    def _submit_all(self, paths: Sequence[str], sender: str) -> tuple[list[Job], list[Refused]]:
        """Queue the films. Return their jobs, and why others are not taken."""
        jobs, refusals = [], []
        for path in dict.fromkeys(paths):
            try:
                jobs.append(self._submit(path, sender))
            except Refused as refused:
                refusals.append(refused)
        return jobs, refusals

    def _submit(self, path: str, sender: str) -> Job:
        """Queue a film. The same version of a file is taken once, however often messages name it."""
        service = self._service
        media = service.roots.find(path)
        overrides = service.maker.overrides({})
        new = service.maker.job(Ordered(media, media.name, service.media_place, sender), overrides)
        return service.runner.queue.done(new.same) or service.submit(new)


async def _payload(request: Request) -> Mapping[str, Any]:
    """Return the JSON of a message, which is the body or a field of a form. Raises `Refused`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {"multipart/form-data", "application/x-www-form-urlencoded"}:
        return await json_body(request)
    async with request.form(max_files=2, max_fields=20, max_part_size=_PAYLOAD_BYTES) as form:
        text = next((form[name] for name in _FIELDS if name in form), "")
        return json_object(await text.read(_PAYLOAD_BYTES) if isinstance(text, UploadFile) else text)
