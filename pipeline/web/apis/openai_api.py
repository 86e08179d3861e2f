"""OpenAI's audio interface, `/v1`: what programs send that were written for it. Models are profiles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from pydantic import JsonValue
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from pipeline.base.project import CONFIG
from pipeline.plan.profile import load_profiles
from pipeline.web.apis.answers import Answer, answer_of, subtitles_of
from pipeline.web.apis.audio_jobs import Wanted, file_in, submit
from pipeline.web.apis.openai_formats import as_sse, diarized_json, plain_json, stream_events, verbose_json
from pipeline.web.job_queue import Job
from pipeline.web.refused import Refused
from pipeline.web.replies import json_reply, refusal_reply
from pipeline.web.service import Service

ALIASES = (
    "whisper-1", "gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-4o-transcribe-diarize",
)  # fmt: skip
"""Names that clients have built in. They mean the profile that the server was started with."""
FORMATS = ("json", "text", "srt", "vtt", "verbose_json", "diarized_json")
GRANULARITIES = ("word", "segment")
_MADE = 1_700_000_000  # a time that `created` may have; profiles have none
_SPEAKERS = ("known_speaker_names", "known_speaker_references")
_AUDIO = "/v1/audio"


@dataclass(frozen=True)
class _Options:
    """The wishes of a form, besides its file. `ignored` are fields that have no effect here."""

    wanted: Wanted
    form: str
    granularities: tuple[str, ...]
    stream: bool
    ignored: tuple[str, ...]

    @property
    def task(self) -> str:
        return "translate" if self.wanted.translate else "transcribe"


class OpenAiApi:
    """Handlers of `/v1`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._profiles = tuple(load_profiles(CONFIG / "profiles"))

    def routes(self) -> list[Route]:
        """Return the routes of this interface."""
        return [
            Route(f"{_AUDIO}/transcriptions", self.transcribe, methods=["POST"]),
            Route(f"{_AUDIO}/translations", self.translate, methods=["POST"]),
            Route("/v1/models", self.list_models, methods=["GET"]),
            Route("/v1/models/{id}", self.show_model, methods=["GET"]),
        ]

    async def transcribe(self, request: Request) -> Response:
        """Return the text of a file in the language that is spoken."""
        return await self._answer(request, translate=False)

    async def translate(self, request: Request) -> Response:
        """Return the text of a file in English."""
        return await self._answer(request, translate=True)

    async def list_models(self, request: Request) -> Response:
        """Return the models: the profiles, and the names that clients have built in."""
        return json_reply({"object": "list", "data": [_model(name) for name in (*self._profiles, *ALIASES)]})

    async def show_model(self, request: Request) -> Response:
        """Return one model."""
        name = request.path_params["id"]
        self._profile_of(name)
        return json_reply(_model(name))

    async def _answer(self, request: Request, *, translate: bool) -> Response:
        before = self._service.events.newest_id
        async with request.form(max_files=1, max_fields=100) as form:
            options = self._options(form, translate)
            file = file_in(form, "file")
            job = await submit(
                self._service, file, file.filename or "audio", options.wanted, samples=False, source="openai"
            )  # fmt: skip
        headers = {"reel-job": job.id, "cache-control": "no-store"}
        if options.ignored:
            headers["reel-ignored"] = ", ".join(options.ignored)
        if options.stream:
            headers["x-accel-buffering"] = "no"
            stream = self._stream(job, options, before)
            return StreamingResponse(stream, media_type="text/event-stream", headers=headers)
        ended = await self._service.runner.ended(job.id)
        return await asyncio.to_thread(_reply, ended, options, headers)

    async def _stream(self, job: Job, options: _Options, before: str) -> AsyncIterator[str]:
        """Yield the events of a stream: text as it is heard, and at the end what is left of the final one."""
        diarized = options.form == "diarized_json"
        # A job that others began has been heard in part already.
        live = job.state == "queued" and not (diarized or options.wanted.translate)
        sent = ""
        try:
            async for text in self._live_text(job, before):
                if text is None:
                    yield ": ping\n\n"
                elif live and text:
                    delta = f" {text}" if sent else text
                    sent += delta
                    yield as_sse({"type": "transcript.text.delta", "delta": delta})
            ended = self._service.runner.queue.job(job.id)
            answer = await asyncio.to_thread(answer_of, ended, options.wanted.target)
            for event in stream_events(answer, diarized=diarized, sent=sent):
                yield as_sse(event)
        except Refused as refused:
            error = {"message": refused.message, "type": "server_error", "code": refused.code, "param": None}
            yield as_sse({"type": "error", "error": error})

    async def _live_text(self, job: Job, before: str) -> AsyncIterator[str | None]:
        """Yield what a job hears, from the event `before` on, until it has ended; None where nothing comes for long, so
        that a comment keeps the connection open."""
        queue = self._service.runner.queue
        if queue.job(job.id).has_ended:
            return
        async for event in self._service.events.follow(before):
            if event is None:
                yield None
            elif event.kind == "StepPartial" and event.data["job"] == job.id:
                yield event.data["text"].strip()
            if (event is None or event.kind in {"Job", "reset"}) and queue.job(job.id).has_ended:
                return

    def _options(self, form: FormData, translate: bool) -> _Options:
        """Return what a form asks for. Raises `Refused`."""
        model = _text(form, "model")
        if not model:
            raise Refused(400, "missing_required_parameter", "you must provide a `model`", param="model")
        kind = _text(form, "response_format") or "json"
        formats = FORMATS[:-1] if translate else FORMATS
        if kind not in formats:
            raise Refused(
                400, "invalid_value", f"`response_format` is one of {', '.join(formats)}", param="response_format"
            )
        if unsupported := next((name for name in _SPEAKERS if _texts(form, name)), None):
            raise Refused(400, "unsupported_parameter", f"`{unsupported}` is not supported", param=unsupported)
        settings: dict[str, JsonValue] = {
            "profile": self._profile_of(model),
            "language": next(iter(_texts(form, "languages")), None) or _text(form, "language"),
            "asr.initial_prompt": _text(form, "prompt"), "asr.hotwords": ", ".join(_texts(form, "keywords")),
        }  # fmt: skip
        temperature = _text(form, "temperature") or "0"
        ignored = [] if temperature.strip("0.") == "" else ["temperature"]
        ignored += [name for name in ("include", "chunking_strategy") if _texts(form, name)]
        return _Options(
            Wanted(kind, translate, settings), kind, _granularities(form, kind),
            _text(form, "stream").lower() in {"true", "1"} and kind not in {"srt", "vtt"}, tuple(ignored),
        )  # fmt: skip

    def _profile_of(self, model: str) -> str | None:
        """Return the profile that a model names; None for that of the server. Raises `Refused`."""
        if model in ALIASES:
            return None
        if model not in self._profiles:
            known = ", ".join((*self._profiles, ALIASES[0]))
            text = f"The model `{model}` does not exist. This server has {known}."
            raise Refused(404, "model_not_found", text, param="model")
        return model


def _reply(job: Job, options: _Options, headers: dict[str, str]) -> Response:
    """Return the answer to a request whose job has ended. Reads the disk."""
    try:
        if options.form in {"srt", "vtt"}:
            text = subtitles_of(job, options.form, options.wanted.target)
            kind = "text/vtt" if options.form == "vtt" else "text/plain"
            return Response(text, 200, headers, media_type=f"{kind}; charset=utf-8")
        answer = answer_of(job, options.wanted.target)
    except Refused as refused:
        return refusal_reply(_AUDIO, refused)
    if options.form == "text":
        return Response(f"{answer.text}\n", 200, headers, media_type="text/plain; charset=utf-8")
    return json_reply(_document(answer, options), 200, headers)


def _document(answer: Answer, options: _Options) -> object:
    if options.form == "verbose_json":
        return verbose_json(answer, options.task, options.granularities)
    if options.form == "diarized_json":
        return diarized_json(answer, options.task)
    return plain_json(answer)


def _granularities(form: FormData, kind: str) -> tuple[str, ...]:
    name = "timestamp_granularities"
    wanted = _texts(form, name)
    if wrong := next((one for one in wanted if one not in GRANULARITIES), None):
        text = f"`{wrong}` is not a granularity; there are {' and '.join(GRANULARITIES)}"
        raise Refused(400, "invalid_value", text, param=f"{name}[]")
    if wanted and kind != "verbose_json":
        text = "`response_format` must be `verbose_json` where `timestamp_granularities` are asked for"
        raise Refused(400, "invalid_value", text, param="response_format")
    return tuple(wanted) or ("segment",)


def _text(form: FormData, name: str) -> str:
    return next(iter(_texts(form, name)), "")


def _texts(form: FormData, name: str) -> list[str]:
    """Return the values of a field, which clients call `name[]` where it may have several."""
    values = [*form.getlist(name), *form.getlist(f"{name}[]")]
    return [value.strip() for value in values if isinstance(value, str) and value.strip()]


def _model(name: str) -> dict[str, JsonValue]:
    return {"id": name, "object": "model", "created": _MADE, "owned_by": "reel"}
