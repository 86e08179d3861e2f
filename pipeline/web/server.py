"""Builds the server from its parts and runs it. Runs in the environment `serve`."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import sys
import tempfile
import traceback
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from pydantic import JsonValue
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.base.errors import ReelError
from pipeline.base.hardware import available_cores
from pipeline.base.project import version
from pipeline.engine.project import Project
from pipeline.web.access import LOOPBACK_NAMES, Access
from pipeline.web.apis.asr_api import AsrApi
from pipeline.web.apis.files_api import FilesApi
from pipeline.web.apis.hooks import HooksApi
from pipeline.web.apis.media_servers import MediaServer
from pipeline.web.apis.ocr_api import OcrApi
from pipeline.web.apis.offer_api import OfferApi
from pipeline.web.apis.openai_api import OpenAiApi
from pipeline.web.apis.openapi import describe
from pipeline.web.apis.own_api import OwnApi
from pipeline.web.apis.review_api import ReviewApi
from pipeline.web.apis.review_apply_api import ReviewApplyApi
from pipeline.web.apis.review_files_api import ReviewFilesApi
from pipeline.web.apis.uploads_api import UploadsApi
from pipeline.web.connections import HttpProtocol, listening_sockets
from pipeline.web.event_log import EventLog
from pipeline.web.guard import Guard
from pipeline.web.job_maker import JobMaker
from pipeline.web.job_queue import JobQueue
from pipeline.web.job_runner import ChildPlan, JobRunner
from pipeline.web.media_roots import MediaRoots
from pipeline.web.pages import Pages, refusal_page
from pipeline.web.partial_uploads import PartialUploads
from pipeline.web.readiness import Readiness
from pipeline.web.refused import Refused
from pipeline.web.replies import json_reply, refusal_reply
from pipeline.web.review.drafts import DraftStore
from pipeline.web.review.made_files import MadeFiles
from pipeline.web.review.reviews import Reviews
from pipeline.web.run_pages import RunPages
from pipeline.web.service import Service, Shares
from pipeline.web.uploads import Uploads, delete_old, no_space
from shared.stage import CORE_ENVIRONMENT

_ANY_ADDRESS = {"0.0.0.0", "::"}
_SWEEP_S = 3600.0
_GRACE_S = 2  # for requests that are being answered when the server ends
_FULL = {errno.ENOSPC, errno.EDQUOT}
_NO_PAGES = ("/api/", "/v1/", "/asr", "/detect-language", "/hooks/", "/static/")  # what programs ask for
_SHOWN = 200  # characters of a path in a message


@dataclass(frozen=True)
class ServeOptions:
    """How the server is reached, and what it takes. `token` is None if anyone who reaches it may use it."""

    listen: str
    port: int
    token: str | None
    hosts: Sequence[str]
    media: Sequence[str]
    maps: Sequence[tuple[str, str]]
    base_path: str
    trusted_proxies: Sequence[str]
    max_upload_bytes: int
    keep_free_bytes: int
    linger_s: float
    media_servers: Mapping[str, MediaServer]


def run_server(project: Project, flags: Mapping[str, JsonValue], options: ServeOptions) -> None:
    """Serve until the process is told to end. `flags` are the settings of the command by dotted names, which the
    child gets too. Raises `Locked` if another server has the queue, `UsageError` if the address cannot be used."""
    folder = project.folders.results / "serve"
    queue = JobQueue(project.folders.index / "serve")
    try:
        sockets = listening_sockets(options.listen, options.port)
        service = _service(project, flags, options, queue)
        tempfile.tempdir = str(service.uploads.arriving)  # on the disk whose free space is checked
        routed = _app(project, service, options)
        app = Guard(routed, _access(options), options.base_path, service.uploads.room)
        config = uvicorn.Config(
            app, http=HttpProtocol, log_level="error", access_log=False, server_header=False,
            timeout_graceful_shutdown=_GRACE_S, proxy_headers=bool(options.trusted_proxies), lifespan="on",
            forwarded_allow_ips=list(options.trusted_proxies), h11_max_incomplete_event_size=64 << 10, ws="none",
        )  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of each client that goes away
        _AnnouncingServer(config).run(sockets)
    finally:
        queue.close()


class _AnnouncingServer(uvicorn.Server):  # type: ignore[misc]
    """Server that says where it listens, once it does."""

    async def startup(self, sockets: object = None) -> None:
        await super().startup(sockets=sockets)
        for server in getattr(self, "servers", ()):
            for socket in server.sockets:
                address, port = socket.getsockname()[:2]
                name = f"[{address}]" if ":" in address else address
                base = self.config.app.base_path
                print(f"serving on http://{name}:{port}{base}", file=sys.stderr, flush=True)
                if address not in _ANY_ADDRESS:  # which no browser can open
                    print("open that address in a browser; Ctrl-C ends the server", file=sys.stderr, flush=True)


def _access(options: ServeOptions) -> Access:
    named = {options.listen} if options.listen not in _ANY_ADDRESS else set()
    return Access(frozenset({*LOOPBACK_NAMES, *named, *options.hosts}), options.token)


def _service(project: Project, flags: Mapping[str, JsonValue], options: ServeOptions, queue: JobQueue) -> Service:
    folder, events = project.folders.results / "serve", EventLog()
    answers_folder = folder / "answers"
    out = {**flags, "beside": False, "output_dir": str(project.folders.output)}
    beside = {name: value for name, value in flags.items() if name != "output_dir"} | {"beside": True}
    answers = {**out, "output_dir": str(answers_folder), "skip_existing": False, "report": False}
    cores = project.settings.cpus or available_cores()
    plan = ChildPlan(
        python=project.installed.environments.python(CORE_ENVIRONMENT),
        settings={"out": out, "beside": beside, "answers": answers},
        log=folder / "child.log", at_once=2 * cores + 2, linger_s=options.linger_s,
    )  # fmt: skip
    roots = MediaRoots.of(options.media, options.maps)
    uploads = Uploads(folder / "uploads", options.max_upload_bytes, options.keep_free_bytes)
    runner = JobRunner(queue, events, plan)
    maker, partial = JobMaker(project.planner, roots), PartialUploads(uploads)
    glossary = Path(project.settings.glossary).absolute() if project.settings.glossary else None
    drafts = DraftStore(folder / "drafts", project.store, queue.find)
    reviews = Reviews(project.store, drafts, roots, uploads.folder, answers_folder, glossary)
    made = MadeFiles(folder / "made", project.installed)
    return Service(
        runner, events, maker, roots, uploads, partial, answers_folder, project.settings.beside, reviews, made,
        project.edits, Shares(),
    )  # fmt: skip


def _app(project: Project, service: Service, options: ServeOptions) -> Starlette:
    own, has_token = OwnApi(service), options.token is not None
    offer = OfferApi(project, service, own, asks_for_token=has_token)
    apis = (
        own, offer, FilesApi(own), UploadsApi(service), ReviewApi(service), ReviewApplyApi(service),
        ReviewFilesApi(service), OpenAiApi(service), AsrApi(service), HooksApi(service, options.media_servers),
        OcrApi(service, own, project),
    )  # fmt: skip
    routes = [Route("/health", health), Route("/ready", Readiness(project).tell)]
    routes += [route for api in apis for route in api.routes()]
    document = describe(routes, version())

    async def openapi(request: Request) -> Response:
        return json_reply(document)

    return Starlette(
        routes=[
            *routes, Route("/openapi.json", openapi), *RunPages(project, service.reviews).routes(),
            *Pages(has_token=has_token).routes(),
        ],
        exception_handlers={
            Refused: _refused, ReelError: _reel_error, HTTPException: _http_error, OSError: _os_error,
            ClientDisconnect: _client_gone, Exception: _bug,
        },
        lifespan=lambda app: _lifespan(service),
    )  # fmt: skip


async def health(request: Request) -> Response:
    """Tell that the server answers."""
    return json_reply({"status": "ok"})


@contextlib.asynccontextmanager
async def _lifespan(service: Service) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(service.runner.work()), asyncio.create_task(_sweep(service))]
    for task in tasks:
        task.add_done_callback(_end_if_failed)
    try:
        yield
    finally:
        service.made.close()
        await service.runner.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _end_if_failed(task: asyncio.Task[None]) -> None:
    """End the server, visibly, rather than go on with a queue that nothing works on."""
    if not task.cancelled() and (error := task.exception()):
        traceback.print_exception(error)
        signal.raise_signal(signal.SIGTERM)


async def _sweep(service: Service) -> None:
    while True:
        service.uploads.sweep(service.runner.queue.uses() | service.reviews.drafts.media())
        service.partial.sweep()
        service.runner.queue.forget()
        delete_old(service.answers.glob("*"))
        await asyncio.sleep(_SWEEP_S)


def _path(request: Request) -> str:
    path: str = request.scope["path"]
    return path.removeprefix(request.scope.get("root_path", ""))


def _reply_to(request: Request, refused: Refused) -> Response:
    """Return a refusal in the form for who asks: a page for a browser that opens one, else JSON."""
    path = _path(request)
    if request.method == "GET" and "text/html" in request.headers.get("accept", "") and not path.startswith(_NO_PAGES):
        return refusal_page(refused, request.scope["root_path"])
    return refusal_reply(path, refused)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return _reply_to(request, error)


async def _reel_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ReelError)
    return _reply_to(request, Refused.by(error, 503))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    where = f"{request.method} {_path(request)}"
    where = where if len(where) <= _SHOWN else f"{where[:_SHOWN]}..."
    headers = error.headers or {}
    known = {404: "there is no such address", 405: f"the address takes {headers.get('Allow')}"}
    detail = known.get(error.status_code, error.detail)
    reply = _reply_to(request, Refused(error.status_code, "serve.http", f"{where}: {detail}"))
    for name, value in headers.items():
        reply.headers[name] = value
    return reply


async def _os_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    if error.errno not in _FULL:
        raise error
    return _reply_to(request, no_space(error))


async def _client_gone(request: Request, error: Exception) -> Response:
    return Response(status_code=400)  # which reaches no one


async def _bug(request: Request, error: Exception) -> Response:
    return _reply_to(request, Refused(500, "reel.bug", f"a bug of reel: {type(error).__name__}"))
