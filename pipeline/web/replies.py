"""Replies of the server: refusals in the form that each interface has for them, and headers of every reply."""

from __future__ import annotations

import json

from starlette.responses import Response

from pipeline.web.refused import Refused

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SAFE_HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
"""Headers of every reply, except for those that it has itself."""

_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_SERVER_ERROR = 500


def refusal_reply(path: str, refused: Refused) -> Response:
    """Return a refusal in the form of the interface that `path` belongs to."""
    headers = {"cache-control": "no-store"}
    if refused.retry_after_s is not None:
        headers["retry-after"] = str(refused.retry_after_s)
    if refused.status == 401:
        headers["www-authenticate"] = "Bearer"
    if path.startswith("/v1/"):
        kind = "server_error" if refused.status >= _SERVER_ERROR else "invalid_request_error"
        error = {
            "message": " ".join(filter(None, [refused.message, refused.hint])),
            "type": _OPENAI_TYPES.get(refused.status, kind), "param": refused.param, "code": refused.code,
        }  # fmt: skip
        return json_reply({"error": error}, refused.status, headers)
    if path in {"/asr", "/detect-language"} and refused.status != 405:
        # Bazarr stores the body of any reply as the subtitle, and takes what is below 500 for an answer.
        headers["reel-error"] = refused.code
        status = refused.status if refused.status in {401, 403, 421} else max(refused.status, _SERVER_ERROR)
        return Response(b"", status, headers)
    body = {"code": refused.code, "message": refused.message, "hint": refused.hint, **refused.more}
    return json_reply(body, refused.status, headers)


def json_reply(data: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON document that no cache keeps."""
    return json_text(json.dumps(data, ensure_ascii=False), status, headers)


def json_text(text: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON document that is text already."""
    body = text.encode("utf-8", "backslashreplace")
    return Response(body, status, {"cache-control": "no-store", **(headers or {})}, media_type="application/json")
