"""The interface of `whisper-asr-webservice`, which Bazarr's provider and others speak.

Bazarr stores the body of any reply as the subtitle, so that a refusal has an empty body; see `replies`. It sends raw
samples without a header where it says `encode=false`, and sends the same again if it has waited too long.
"""

from __future__ import annotations

import asyncio
import io
import json
from typing import BinaryIO
from urllib.parse import quote

from pydantic import JsonValue
from starlette.datastructures import QueryParams, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.base.errors import Missing
from pipeline.base.project import version
from pipeline.web.apis.answers import answer_of, subtitles_of
from pipeline.web.apis.audio_jobs import Wanted, file_in, submit
from pipeline.web.apis.openai_formats import tab_separated, whisper_json
from pipeline.web.job_queue import Job
from pipeline.web.refused import Refused
from pipeline.web.replies import json_reply, refusal_reply
from pipeline.web.service import Service
from shared.text.language import UNDETERMINED, english_name, primary

FORMATS = ("txt", "vtt", "srt", "tsv", "json")
_SAMPLES_SUFFIX = ".wav"
_HEARD_BYTES = 180 * 32_000  # enough of raw samples to tell the language; all of them, if it holds no speech
_FALSE = {"false", "0", "no"}


class AsrApi:
    """Handlers of `/asr`, `/detect-language` and `/status`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        """Return the routes of this interface."""
        return [
            Route("/asr", self.transcribe, methods=["POST"]),
            Route("/detect-language", self.detect_language, methods=["POST"]),
            Route("/status", self.status, methods=["GET"]),
        ]

    async def status(self, request: Request) -> Response:
        """Return the version, by which Bazarr's provider tests the connection."""
        return json_reply({"version": f"reel {version()}", "engine": "reel"})

    async def transcribe(self, request: Request) -> Response:
        """Return the text or the subtitles of a file."""
        query = request.query_params
        form = _form(query)
        settings: dict[str, JsonValue] = {
            "language": _language(query), "asr.initial_prompt": query.get("initial_prompt"),
            "min_speakers": _number(query, "min_speakers"), "max_speakers": _number(query, "max_speakers"),
        }  # fmt: skip
        delay_ms = await asyncio.to_thread(self._delay_ms, query) if _is_raw(query) else 0
        wanted = Wanted(form, query.get("task") == "translate", settings, delay_ms)
        async with request.form(max_files=1, max_fields=100) as sent:
            file = file_in(sent, "audio_file")
            job = await submit(
                self._service, file, _label(query, file.filename), wanted, samples=_is_raw(query), source="asr"
            )  # fmt: skip
        ended = await self._service.runner.ended(job.id)
        return await asyncio.to_thread(_reply, ended, wanted)

    def _delay_ms(self, query: QueryParams) -> int:
        """Return how late the sound of the film begins that samples were taken from; 0 for a film that is not in the
        media folders."""
        try:
            film = self._service.roots.find(query.get("video_file", ""))
            return self._service.made.sound_delay_ms(film)
        except (Refused, Missing):
            return 0

    async def detect_language(self, request: Request) -> Response:
        """Return the language that is spoken in a file."""
        query = request.query_params
        wanted = Wanted("txt", translate=False, settings={})
        async with request.form(max_files=1, max_fields=100) as sent:
            file = file_in(sent, "audio_file")
            label, raw = _label(query, file.filename), _is_raw(query)
            language, probability = UNDETERMINED, 0.0
            if raw and (file.size or 0) > _HEARD_BYTES:
                beginning = io.BytesIO(await file.read(_HEARD_BYTES))
                await file.seek(0)
                language, probability = await self._language_of_samples(beginning, label, wanted)
            if language == UNDETERMINED:
                job = await submit(self._service, file, label, wanted, samples=raw, source="asr")
                language, probability = await self._language(job)
        return json_reply(_detected(language, probability))

    async def _language_of_samples(self, samples: BinaryIO, label: str, wanted: Wanted) -> tuple[str, float]:
        job = await submit(self._service, UploadFile(samples), label, wanted, samples=True, source="asr")
        return await self._language(job)

    async def _language(self, job: Job) -> tuple[str, float]:
        answer = await asyncio.to_thread(answer_of, await self._service.runner.ended(job.id))
        return answer.transcript.language, answer.transcript.language_probability


def _reply(job: Job, wanted: Wanted) -> Response:
    """Return the answer to a request whose job has ended. Reads the disk."""
    try:
        text = _content(job, wanted)
    except Refused as refused:
        return refusal_reply("/asr", refused)
    name = quote(f"{job.label}.{wanted.form}")
    headers = {
        "asr-engine": "reel", "reel-job": job.id, "cache-control": "no-store",
        "content-disposition": f"attachment; filename*=UTF-8''{name}",
    }  # fmt: skip
    return Response(text, 200, headers, media_type="text/plain; charset=utf-8")


def _content(job: Job, wanted: Wanted) -> str:
    if wanted.form in {"srt", "vtt"}:
        return subtitles_of(job, wanted.form, wanted.target)
    answer = answer_of(job, wanted.target)
    if wanted.form == "tsv":
        return tab_separated(answer)
    if wanted.form == "json":
        return json.dumps(whisper_json(answer), ensure_ascii=False)
    return "".join(f"{text}\n" for _, text in answer.segments)


def _detected(language: str, probability: float) -> dict[str, JsonValue]:
    """Return the keys that every version of Bazarr's provider reads, also for audio without speech."""
    if language == UNDETERMINED:
        return {"detected_language": "Unknown", "language_code": UNDETERMINED, "confidence": 0.0}
    name = english_name(language).lower()
    return {"detected_language": name, "language_code": primary(language), "confidence": round(probability, 4)}


def _form(query: QueryParams) -> str:
    form: str = query.get("output", "txt").replace("text", "txt")
    if form not in FORMATS:
        raise Refused(422, "serve.output", f"`output` is one of {', '.join(FORMATS)}", param="output")
    return form


def _language(query: QueryParams) -> str | None:
    language: str = query.get("language", "").strip()
    return None if language.lower() in {"", "auto", UNDETERMINED} else language


def _number(query: QueryParams, name: str) -> int | None:
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 and int(text) else None


def _is_raw(query: QueryParams) -> bool:
    """Tell whether the file is raw samples: the sender has decoded it, so that it is not to be encoded again."""
    return query.get("encode", "true").lower() in _FALSE


def _label(query: QueryParams, filename: str | None) -> str:
    """Return the name of the film that the sound is of, which is a path of another machine, else that of the file."""
    named: str = query.get("video_file", "").replace("\\", "/").rpartition("/")[2]
    if not named:
        return filename or "audio"
    return f"{named}{_SAMPLES_SUFFIX}" if _is_raw(query) else named
