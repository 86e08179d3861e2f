"""Reads the JSON that requests bring."""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.requests import Request

from pipeline.web.refused import Refused


async def json_body(request: Request) -> dict[str, Any]:
    """Return the JSON object that is the body of a request. Raises `Refused`."""
    return json_object(await request.body())


def json_object(content: bytes | str) -> dict[str, Any]:
    """Return a JSON object, all texts of which can be written in UTF-8. Raises `Refused`."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Refused(422, "serve.json", "the body is not JSON") from error
    if not isinstance(data, dict):
        raise Refused(422, "serve.json", "the body must be a JSON object")
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        hint = "rename the file, if the text is the path of one"
        raise Refused(422, "serve.text", "the body has a text that is not possible in UTF-8", hint) from error
    return data


def finite_number(value: object) -> float | None:
    """Return a number from JSON, or one that a form brings as text. None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
