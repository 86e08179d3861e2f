"""Describes the interfaces as an OpenAPI document, made from their routes and the words of their handlers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter
from starlette.routing import Route

from pipeline.plan.registry import STAGES
from pipeline.web.apis.hook_payloads import SENDERS
from pipeline.web.apis.openai_api import FORMATS, GRANULARITIES
from pipeline.web.job_queue import STATES, Job
from pipeline.web.review.applying import WINNERS

_Data = dict[str, Any]
_TEXT: _Data = {"type": "string"}
_FILE: _Data = {"type": "string", "format": "binary"}
_ABOUT = """
    Jobs, uploads and files of reel; OpenAI's audio interface, where models are profiles; the interface of
    whisper-asr-webservice; and hooks of media servers. A refusal in `/v1` has the form of OpenAI, one in `/asr` has an
    empty body, since Bazarr stores any body as the subtitle.
"""
_SENDER: _Data = {"type": "string", "enum": list(SENDERS)}
_ERROR: _Data = {
    "type": "object", "properties": {"code": _TEXT, "message": _TEXT, "hint": {"type": ["string", "null"]}},
    "required": ["code", "message", "hint"],
}  # fmt: skip
_ERROR_REFERENCE = {"$ref": "#/components/schemas/Error"}
_PATH_PARAMETER = re.compile(r"\{(\w+)\}")
_OPENAI_FIELDS: _Data = {
    "file": _FILE, "model": _TEXT, "language": _TEXT, "prompt": _TEXT, "temperature": {"type": "number"},
    "response_format": {"type": "string", "enum": list(FORMATS)}, "stream": {"type": "boolean"},
    "timestamp_granularities[]": {"type": "array", "items": {"type": "string", "enum": list(GRANULARITIES)}},
    "keywords[]": {"type": "array", "items": _TEXT},
}  # fmt: skip
_JOB_FIELDS: _Data = {
    "path": {"type": "string", "description": "absolute path of a media file in a media folder"},
    "upload": {"type": "string", "description": "id of a complete upload, instead of a path"},
    "recipe": _TEXT, "profile": _TEXT, "guide": _TEXT, "language": _TEXT,
    "to": {"type": "array", "items": _TEXT, "description": "target languages"},
    "set": {"type": "object", "description": "settings and parameters of stages by dotted names"},
    "priority": {"type": "number", "description": "a higher one comes first"},
    "beside": {"type": "boolean", "description": "write subtitles next to the media file"},
}  # fmt: skip
_OCR_OPTIONS: _Data = {
    "model": {"type": "string", "enum": list(STAGES["ocr"].backends)},
    "page": {"type": "integer", "description": "the only page to read, from 1"},
    "language": _TEXT, "region": {"type": "string", "enum": ["all", "top", "bottom"]},
    "min_probability": {"type": "number"},
    "every_s": {"type": "number", "description": "seconds from one look at a film to the next"},
}  # fmt: skip
_OCR_FIELDS: _Data = {"file": _FILE, **_OCR_OPTIONS}
_OCR_JSON: _Data = {"path": _JOB_FIELDS["path"], "upload": _JOB_FIELDS["upload"], **_OCR_OPTIONS}


def _form(fields: _Data, *required: str) -> _Data:
    schema = {"type": "object", "properties": fields, "required": list(required)}
    return {"content": {"multipart/form-data": {"schema": schema}}, "required": True}


def _json(fields: _Data, *required: str) -> _Data:
    schema = {"type": "object", "properties": fields, "required": list(required)}
    return {"content": {"application/json": {"schema": schema}}, "required": True}


_ITEM: _Data = {"type": ["object", "null"], "description": "a cue, the name of a speaker, a mark; null: not there"}
_OPERATION: _Data = {"type": "object", "properties": {"id": _TEXT, "before": _ITEM, "after": _ITEM}, "required": ["id"]}
_ASR_FORM = _form({"audio_file": _FILE}, "audio_file")
_BODIES: Mapping[str, _Data] = {
    "OwnApi.add_job": _json(_JOB_FIELDS),
    "OfferApi.plan": _json(_JOB_FIELDS),
    "OwnApi.change_job": _json({"priority": {"type": "number"}}, "priority"),
    "OpenAiApi.transcribe": _form(_OPENAI_FIELDS, "file", "model"),
    "OpenAiApi.translate": _form(_OPENAI_FIELDS, "file", "model"),
    "AsrApi.transcribe": _ASR_FORM,
    "AsrApi.detect_language": _ASR_FORM,
    "HooksApi.take": _json({}),
    "ReviewApi.save_operations": _json({"batch": _TEXT, "ops": {"type": "array", "items": _OPERATION}}, "batch", "ops"),
    "ReviewApi.undo": _json({"batch": _TEXT}, "batch"),
    "ReviewApi.redo": _json({"batch": _TEXT}, "batch"),
    "ReviewApplyApi.apply": _json({"on_disk": {"type": "string", "enum": list(WINNERS)}}),
    "OcrApi.read": {
        "content": {**_form(_OCR_FIELDS, "file")["content"], **_json(_OCR_JSON)["content"]},
        "required": True,
    },
    "UploadsApi.append": {"content": {"application/offset+octet-stream": {"schema": _FILE}}, "required": True},
}
_QUERIES: Mapping[str, Mapping[str, _Data]] = {
    "OwnApi.list_jobs": {
        "state": {"type": "string", "enum": list(STATES)}, "limit": {"type": "integer"}, "name": _TEXT,
    },
    "OfferApi.list_folder": {"path": _TEXT, "pages": {"type": "boolean"}},
    "AsrApi.transcribe": {
        "task": {"type": "string", "enum": ["transcribe", "translate"]}, "language": _TEXT, "initial_prompt": _TEXT,
        "encode": {"type": "boolean"}, "output": {"type": "string", "enum": ["txt", "vtt", "srt", "tsv", "json"]},
        "video_file": _TEXT, "min_speakers": {"type": "integer"}, "max_speakers": {"type": "integer"},
    },
    "AsrApi.detect_language": {"encode": {"type": "boolean"}, "video_file": _TEXT},
}  # fmt: skip
_ANSWERS_WITH_JOB = {"OwnApi.add_job": "202", "OwnApi.show_job": "200", "OwnApi.change_job": "200",
                     "OwnApi.retry_job": "202"}  # fmt: skip


def describe(routes: Sequence[Route], version: str) -> _Data:
    """Return the document for these routes."""
    paths: dict[str, _Data] = {}
    for route in routes:
        for method in sorted(set(route.methods or ()) - {"HEAD"} or {"HEAD"}):
            paths.setdefault(route.path, {})[method.lower()] = _operation(route, method.lower())
    job = TypeAdapter(Job).json_schema(ref_template="#/components/schemas/{model}")
    used = job.pop("$defs", {})
    return {
        "openapi": "3.1.0",
        "info": {"title": "reel", "version": version, "description": inspect.cleandoc(_ABOUT)},
        "paths": paths,
        "components": {
            "schemas": {"Job": job, "Error": _ERROR, **used},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _operation(route: Route, method: str) -> _Data:
    name = getattr(route.endpoint, "__qualname__", route.endpoint.__name__)
    parameters = [
        {"name": one, "in": "path", "required": True, "schema": _SENDER if one == "sender" else _TEXT}
        for one in _PATH_PARAMETER.findall(route.path)
    ]
    parameters += [{"name": one, "in": "query", "schema": schema} for one, schema in _QUERIES.get(name, {}).items()]
    doc = inspect.getdoc(route.endpoint) or ""
    success = _ANSWERS_WITH_JOB.get(name, "200")
    answer: _Data = {"description": "the answer"}
    if name in _ANSWERS_WITH_JOB:
        answer["content"] = {"application/json": {"schema": {"$ref": "#/components/schemas/Job"}}}
    refusal = {"description": "a refusal", "content": {"application/json": {"schema": _ERROR_REFERENCE}}}
    return {
        "operationId": method + re.sub("[^0-9a-z]+", "_", route.path), "description": doc,
        "summary": doc.partition("\n")[0],
        "tags": [name.partition(".")[0]], "parameters": parameters,
        **({"requestBody": _BODIES[name]} if name in _BODIES else {}),
        "responses": {success: answer, "default": refusal},
    }  # fmt: skip
