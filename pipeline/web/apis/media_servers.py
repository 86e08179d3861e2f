"""Asks the media servers that reel was told of for the path of an item, since their messages hold only its id.

It also has them look at the item again when its subtitles lie beside it.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_LIMIT_S = 10.0
_ANSWER_BYTES = 8 << 20
RETRY_S = (0.0, 2.0, 10.0, 60.0)
"""A server tells of an item before it has indexed it."""


@dataclass(frozen=True)
class MediaServer:
    """Address and token of a media server, as the user gave them. Only `token` gives the secret away."""

    kind: str
    url: str
    token: str = field(repr=False, default="")


def paths_of(server: MediaServer, item: str, rest: Callable[[float], None] = time.sleep) -> tuple[str, ...]:
    """Return the paths of an item's files, as the server sees them; none where it does not know the item in time."""
    for pause in RETRY_S:
        rest(pause)
        try:
            if paths := _READERS[server.kind](_ask(server, item)):
                return paths
        except (OSError, ValueError, http.client.HTTPException):
            continue
    return ()


def refresh(server: MediaServer, item: str) -> str | None:
    """Have a server look at the files of an item again. Return why it does not; None if it does."""
    method, path = _REFRESHES[server.kind]
    try:
        _send(server, method, path.format(item=item))
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"it was not told of the new subtitles: {error}"
    return None


def _ask(server: MediaServer, item: str) -> Any:
    return json.loads(_send(server, "GET", _ADDRESSES[server.kind].format(item=item)))


def _send(server: MediaServer, method: str, path: str) -> bytes:
    headers = {"accept": "application/json", _TOKEN_HEADERS[server.kind]: _token_text(server)}
    request = urllib.request.Request(f"{server.url.rstrip('/')}{path}", headers=headers, method=method)
    # Another address in a reply is not followed: the token is for this server alone.
    _opener = urllib.request.build_opener(_NoRedirects)
    with _opener.open(request, timeout=_LIMIT_S) as reply:
        content: bytes = reply.read(_ANSWER_BYTES)
        return content


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *words: Any, **named: Any) -> None:
        return None


def _token_text(server: MediaServer) -> str:
    return f'MediaBrowser Token="{server.token}"' if server.kind == "jellyfin" else server.token


def _plex_paths(data: Any) -> tuple[str, ...]:
    items = data["MediaContainer"].get("Metadata", ())
    parts = [part for item in items for media in item.get("Media", ()) for part in media.get("Part", ())]
    return tuple(part["file"] for part in parts if isinstance(part.get("file"), str))


def _jellyfin_paths(data: Any) -> tuple[str, ...]:
    return tuple(item["Path"] for item in data.get("Items", ()) if isinstance(item.get("Path"), str))


_TOKEN_HEADERS = {"plex": "x-plex-token", "jellyfin": "authorization"}
_ADDRESSES = {"plex": "/library/metadata/{item}", "jellyfin": "/Items?ids={item}&fields=Path"}
_REFRESHES = {"plex": ("PUT", "/library/metadata/{item}/refresh"), "jellyfin": ("POST", "/Items/{item}/Refresh")}
_READERS: Mapping[str, Callable[[Any], tuple[str, ...]]] = {"plex": _plex_paths, "jellyfin": _jellyfin_paths}
