"""reel's own interface, `/api/1`: jobs, and events as they happen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from pipeline.web.access import cookie_name
from pipeline.web.apis.bodies import finite_number, json_body
from pipeline.web.job_maker import Ordered
from pipeline.web.job_queue import ENDED, STATES, Job, Place, State, job_data
from pipeline.web.job_work import JobWork
from pipeline.web.refused import Refused
from pipeline.web.replies import json_reply, json_text
from pipeline.web.service import Service

API = "/api/1"
_OWN_FIELDS = {"path", "upload", "set", "priority", "beside"}
_AGAIN: frozenset[State] = ENDED - {"done"}


class OwnApi:
    """Handlers of `/api/1`."""

    def __init__(self, service: Service) -> None:
        self._service, self._queue = service, service.runner.queue

    def routes(self) -> list[Route]:
        """Return the routes of this interface."""
        return [
            Route(f"{API}/jobs", self.add_job, methods=["POST"]),
            Route(f"{API}/jobs", self.list_jobs, methods=["GET"]),
            Route(f"{API}/jobs/{{id}}", self.show_job, methods=["GET"]),
            Route(f"{API}/jobs/{{id}}", self.cancel_job, methods=["DELETE"]),
            Route(f"{API}/jobs/{{id}}", self.change_job, methods=["PATCH"]),
            Route(f"{API}/jobs/{{id}}/retry", self.retry_job, methods=["POST"]),
            Route(f"{API}/jobs/{{id}}/work", self.show_work, methods=["GET"]),
            Route(f"{API}/work", self.list_work, methods=["GET"]),
            Route(f"{API}/events", self.events, methods=["GET"]),
            Route(f"{API}/login", self.log_in, methods=["POST"]),
            Route(f"{API}/login", self.log_out, methods=["DELETE"]),
        ]

    async def add_job(self, request: Request) -> Response:
        """Queue a job: 202 with its id, or 200 if it is queued already."""
        body = await json_body(request)
        overrides = self.overrides(body)
        ordered = self.ordered(body)
        job = self._service.submit(self._service.maker.job(ordered, overrides))
        where = f"{request.scope['root_path']}{API}/jobs/{job.id}"
        return json_reply(job_data(job), 202, {"location": where})

    def overrides(self, body: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """Return the settings that a request for a job names, by their dotted names. Raises `Refused`."""
        settings = body.get("set", {})
        if not isinstance(settings, dict):
            raise Refused(422, "serve.set", "`set` must be an object of settings", param="set")
        fields = {name: value for name, value in body.items() if name not in _OWN_FIELDS}
        return self._service.maker.overrides({**fields, **settings})

    def ordered(self, body: dict[str, JsonValue]) -> Ordered:
        """Return the file that a job is for: one in a media folder, or a complete upload. Raises `Refused`."""
        path, upload, priority = body.get("path"), body.get("upload"), _priority(body.get("priority", 0))
        if isinstance(upload, str) and path is None:
            sent = self._service.partial.upload(upload)
            return Ordered(sent.path, sent.path.name, "out", "api", priority, sent.digest)
        if not isinstance(path, str) or upload is not None:
            text = "expected either `path`, the absolute path of a media file, or `upload`, the id of an upload"
            raise Refused(422, "serve.path", text, param="path")
        media = self._service.roots.find(path)
        beside = body.get("beside", self._service.library)
        if not isinstance(beside, bool):
            raise Refused(422, "serve.beside", "`beside` must be true or false", param="beside")
        place: Place = "beside" if beside else "out"
        return Ordered(media, media.name, place, "api", priority)

    async def list_jobs(self, request: Request) -> Response:
        """Return the jobs, or those whose label holds `name`, with the number of all of them by state."""
        states = [state for state in STATES if state in request.query_params.getlist("state")]
        asked = request.query_params.getlist("state")
        if len(states) != len(set(asked)):
            raise Refused(422, "serve.state", f"a state is one of {', '.join(STATES)}", param="state")
        limit = request.query_params.get("limit", "-1")
        if not limit.removeprefix("-").isdecimal() or len(limit) > 9:
            raise Refused(422, "serve.limit", "`limit` must be a number", param="limit")
        name = request.query_params.get("name", "").strip()
        counts = json.dumps(self._queue.counts())

        def reply() -> Response:
            return json_text(f'{{"jobs": {self._queue.listed(states, int(limit), name)}, "counts": {counts}}}')

        return await asyncio.to_thread(reply)

    async def show_job(self, request: Request) -> Response:
        """Return one job."""
        return json_reply(job_data(self.job_of(request)))

    async def show_work(self, request: Request) -> Response:
        """Return how far a job is, or came before it ended: steps, text so far, notices, failures, and its run."""
        job = self.job_of(request)
        found = self._service.runner.board.of(job.id) or self._queue.work(job.id)
        return json_reply(found or JobWork(None).data())

    async def list_work(self, request: Request) -> Response:
        """Return how far all jobs at work are, and what is being set up for them."""
        return json_reply(self._service.runner.board.data())

    async def cancel_job(self, request: Request) -> Response:
        """Cancel a job: 204, or 409 if it has ended."""
        job = self.job_of(request)
        if job.has_ended:
            raise Refused(409, "serve.ended", f"the job has ended: {job.state}")
        await self._service.runner.cancel(job)
        return Response(status_code=204)

    async def change_job(self, request: Request) -> Response:
        """Change the priority of a job that is queued."""
        job, body = self.job_of(request), await json_body(request)
        if job.state != "queued":
            raise Refused(409, "serve.begun", f"the job is not queued: {job.state}")
        changed = self._queue.place_at(job.id, _priority(body.get("priority")))
        self._service.runner.queued(changed)
        return json_reply(job_data(changed))

    async def retry_job(self, request: Request) -> Response:
        """Queue a job again that failed, was skipped or was cancelled. Finished steps are reused."""
        job = self.job_of(request)
        if job.state not in _AGAIN:
            raise Refused(409, "serve.retry", f"only a job that ended without results can begin again: {job.state}")
        if not Path(job.media).is_file():
            raise Refused(410, "media.missing", "the file of the job is not there any more", "upload it again")
        again = self._queue.retry(job.id)
        self._service.runner.queued(again)
        return json_reply(job_data(again), 202)

    async def log_in(self, request: Request) -> Response:
        """Keep the token of this request as a cookie: a browser's own reader of events sends no header."""
        _, _, token = request.headers.get("authorization", "").partition(" ")
        reply = Response(status_code=204)
        if token.strip():
            reply.set_cookie(
                cookie_name(request.headers["host"]), token.strip(), path=request.scope["root_path"] or "/",
                httponly=True, samesite="strict", secure=request.url.scheme == "https",
            )  # fmt: skip
        return reply

    async def log_out(self, request: Request) -> Response:
        """Forget the token in this browser."""
        reply = Response(status_code=204)
        cookie = cookie_name(request.headers["host"])
        reply.delete_cookie(cookie, path=request.scope["root_path"] or "/", httponly=True, samesite="strict")
        return reply

    async def events(self, request: Request) -> Response:
        """Return the events as they happen, from the one after `Last-Event-ID`."""
        last = request.headers.get("last-event-id") or request.query_params.get("last-event-id")
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        if request.method == "HEAD":  # of which the end of events would never come
            return Response(headers=headers, media_type="text/event-stream")
        return StreamingResponse(self._events(last), media_type="text/event-stream", headers=headers)

    async def _events(self, last: str | None) -> AsyncIterator[str]:
        yield "retry: 1000\n\n"
        async for event in self._service.events.follow(last):
            yield event.as_sse() if event else ": ping\n\n"

    def job_of(self, request: Request) -> Job:
        """Return the job that the address names. Raises `Refused`."""
        try:
            return self._queue.job(request.path_params["id"])
        except KeyError as error:
            raise Refused(404, "serve.no-job", "there is no such job") from error


def _priority(value: JsonValue) -> float:
    """Return a priority from JSON. Raises `Refused`."""
    number = None if isinstance(value, str) else finite_number(value)
    if number is None:
        raise Refused(422, "serve.priority", "`priority` must be a number", param="priority")
    return number
