"""The published files of a job, `/api/1/jobs/ID/files`, whole or by ranges."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from pipeline.publishing.record import read_job
from pipeline.web.apis.own_api import API, OwnApi
from pipeline.web.job_queue import Job
from pipeline.web.refused import Refused
from pipeline.web.replies import json_reply

_RANGE = re.compile(r"(?P<first>\d{1,30})-(?P<last>\d{0,30})|-\d{1,30}", re.ASCII)


class FilesApi:
    """Handlers of the files of a job."""

    def __init__(self, own: OwnApi) -> None:
        self._own = own

    def routes(self) -> list[Route]:
        """Return the routes of this interface."""
        return [
            Route(f"{API}/jobs/{{id}}/files", self.list_files, methods=["GET"]),
            Route(f"{API}/jobs/{{id}}/files/{{name}}", self.show_file, methods=["GET", "HEAD"]),
        ]

    async def list_files(self, request: Request) -> Response:
        """Return the names and sizes of the files that are there."""
        job = self._own.job_of(request)
        return json_reply({"files": await asyncio.to_thread(_files, job)})

    async def show_file(self, request: Request) -> Response:
        """Return a file, or the ranges of it that are asked for."""
        job, name = self._own.job_of(request), request.path_params["name"]
        path = next((Path(file) for file in job.files if Path(file).name == name), None)
        if path is None or not path.is_file():
            raise Refused(404, "serve.no-file", "the job has no such file")
        headers = {
            "content-disposition": f"attachment; filename*=UTF-8''{quote(name)}", "cache-control": "private, no-cache",
        }  # fmt: skip
        record = await asyncio.to_thread(read_job, Path(job.folder)) if job.folder else None
        if record and (digest := {**record.files, **record.edits}.get(name)):
            headers["etag"] = f'"{digest}"'
        leave_out_bad_range(request)
        return FileResponse(path, headers=headers)


def _files(job: Job) -> list[dict[str, object]]:
    there = [path for file in job.files if (path := Path(file)).is_file()]
    return [{"name": path.name, "bytes": path.stat().st_size} for path in there]


def leave_out_bad_range(request: Request) -> None:
    """Remove a header `Range` that is not one, which RFC 9110 has a server pass over."""
    unit, _, ranges = request.headers.get("range", "").partition("=")
    if unit.strip() != "bytes" or not all(_is_range(part.strip()) for part in ranges.split(",")):
        request.scope["headers"] = [pair for pair in request.scope["headers"] if pair[0] != b"range"]


def _is_range(text: str) -> bool:
    """Tell whether a text is a range of bytes, as `0-99`, `100-` or `-50`, that does not end before it begins."""
    found = _RANGE.fullmatch(text)
    return found is not None and not (found["last"] and int(found["last"]) < int(found["first"]))
