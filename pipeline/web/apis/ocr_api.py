"""Text in pictures, `/api/1/ocr`: a picture, a PDF or a film in, lines with their places and probabilities out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import JsonValue
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.engine.project import Project
from pipeline.plan.registry import STAGES
from pipeline.publishing.record import read_job
from pipeline.web.apis.answers import check_outcome, published
from pipeline.web.apis.audio_jobs import file_in
from pipeline.web.apis.bodies import finite_number, json_body
from pipeline.web.apis.document_files import is_document
from pipeline.web.apis.own_api import API, OwnApi
from pipeline.web.job_maker import Ordered
from pipeline.web.job_queue import Job
from pipeline.web.refused import Refused
from pipeline.web.replies import json_reply
from pipeline.web.service import Service
from shared.documents.base import DocumentError
from shared.documents.pages import ReadText
from shared.stage import Backend

OCR = "ocr"
FILM, DOCUMENT = "screen-text", "page-text"
_FIELDS = {"model", "page", "language", "region", "min_probability", "every_s"}
_PRIORITY = 1.0  # a client waits for the answer


class OcrApi:
    """Handler of `/api/1/ocr`."""

    def __init__(self, service: Service, own: OwnApi, project: Project) -> None:
        self._service, self._own, self._project = service, own, project

    def routes(self) -> list[Route]:
        """Return the routes of this interface."""
        return [Route(f"{API}/ocr", self.read, methods=["POST"])]

    async def read(self, request: Request) -> Response:
        """Return the text in a picture, on the pages of a PDF or in a film: as a whole, and by lines. A line has its
        `box`, which is left, top, right and bottom as parts of the picture, and its `probability`."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
            body = await json_body(request)
            ordered, fields = self._own.ordered(body), body
        else:
            async with request.form(max_files=1, max_fields=100) as form:
                file = file_in(form, "file")
                fields = _fields(form)
                self._overrides(fields, DOCUMENT)  # a mistake is told before the file is stored
                upload = await self._service.store(file.file, file.filename or "picture")
                ordered = Ordered(upload.path, file.filename or "picture", "answers", OCR, digest=upload.digest)
        recipe = DOCUMENT if await asyncio.to_thread(is_document, ordered.media) else FILM
        job = self._queue(ordered, fields, recipe)
        ended = await self._service.runner.ended(job.id)
        return await asyncio.to_thread(self._reply, ended)

    def _queue(self, ordered: Ordered, fields: Mapping[str, JsonValue], recipe: str) -> Job:
        """Queue the job. Raises `Refused`."""
        if recipe == FILM and fields.get("page") is not None:
            raise Refused(422, "serve.page", "the file has no pages: it is neither a picture nor a PDF", param="page")
        answered = replace(ordered, place="answers", source=OCR, priority=_PRIORITY)
        return self._service.submit(self._service.maker.job(answered, self._overrides(fields, recipe)))

    def _overrides(self, fields: Mapping[str, JsonValue], recipe: str) -> dict[str, JsonValue]:
        """Return the settings of the job. Raises `Refused`."""
        settings: dict[str, JsonValue] = {
            "recipe": recipe, "to": [], "ocr.backend": _backend(fields.get("model")),
            "ocr.language": fields.get("language"), "ocr.region": fields.get("region"),
            "ocr.min_confidence": _number(fields, "min_probability"), "ocr.every_s": _number(fields, "every_s"),
        }  # fmt: skip
        if recipe == DOCUMENT and (page := _number(fields, "page")) is not None:
            settings["pages.page"] = int(page) if page == int(page) else page
        return self._service.maker.overrides(settings)

    def _reply(self, job: Job) -> Response:
        """Return the answer of a job that has ended. Reads the disk."""
        if job.error and job.error["code"] == "demux.container":  # a film is what is left where nothing else fits
            raise Refused(400, "ocr.kind", f"{job.label}: expected a picture, a PDF or a film, found none of them")
        check_outcome(job)
        try:
            read = ReadText.read(published(job, ".lines.json"))
            text = published(job, ".txt").read_text(encoding="utf-8")
        except (DocumentError, OSError) as error:
            raise Refused(500, "serve.result", f"the result cannot be read: {error}") from error
        model, revision = self._model(job)
        lines = [_line(line.model_dump(mode="json")) for line in read.lines]
        pages = [page.model_dump(mode="json") for page in read.pages]
        answer = {
            "text": text.rstrip("\n"), "lines": lines, "pages": pages, "language": read.language,
            "model": model, "revision": revision,
        }  # fmt: skip
        return json_reply(answer, 200, {"reel-job": job.id})

    def _model(self, job: Job) -> tuple[str, str | None]:
        """Return the name of the model that read, and its revision. Weights that are part of a package have that of
        the package."""
        record = read_job(Path(job.folder)) if job.folder else None
        step: Mapping[str, Any] = record.steps.get(OCR, {}) if record else {}
        for name in step.get("models", {}).values():
            return name, self._project.installed.models.locked[name].revision
        backend = str(step.get("backend"))
        known = STAGES[OCR].backends.get(backend)
        return backend, self._project.installed.environments.version(known.environment, backend) if known else None


def _backend(model: JsonValue) -> str | None:
    """Return the backend that a request names by itself or by its model. Raises `Refused`."""
    if model in (None, ""):
        return None
    backends: Mapping[str, Backend] = STAGES[OCR].backends
    named = str(model).removesuffix("-ocr")  # the model of `nanonets` is called `nanonets-ocr`
    if named not in backends:
        text = f"there is no model `{model}` for text in pictures; there are {', '.join(backends)}"
        raise Refused(404, "serve.model", text, param="model")
    return named


def _fields(form: FormData) -> dict[str, JsonValue]:
    return {name: value for name, value in form.items() if name in _FIELDS and isinstance(value, str) and value}


def _number(fields: Mapping[str, JsonValue], name: str) -> float | None:
    """Return a field that a form brings as text. Raises `Refused`."""
    value = fields.get(name)
    if value is None:
        return None
    number = finite_number(value)
    if number is None:
        raise Refused(422, "serve.number", f"`{name}` must be a number", param=name)
    return number


def _line(line: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return a line without the page or the times that it does not have."""
    return {name: value for name, value in line.items() if value is not None or name in {"box", "probability"}}
