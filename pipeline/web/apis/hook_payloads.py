"""Reads what media servers and their companions send when a film is new. Pure.

The senders are Plex, Jellyfin's webhook plugin, Emby, Tautulli, Sonarr and Radarr. An address in a payload is never
followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

_Data = Mapping[str, Any]


@dataclass(frozen=True)
class Notification:
    """The meaning of a payload: a test, something that is not of interest, or new films. These are told by their
    `paths`, as the sender sees them, or by an `item` that its own server knows the path of."""

    kind: Literal["test", "other", "new"]
    paths: tuple[str, ...] = ()
    item: str = ""


_TEST, _OTHER = Notification("test"), Notification("other")


def read_payload(sender: str, data: _Data) -> Notification | None:
    """Return what a payload tells; None for a sender that is not known."""
    read = _READERS.get(sender)
    return read(data) if read else None


def payload_of_variables(environ: Mapping[str, str]) -> tuple[str, dict[str, Any]] | None:
    """Return the sender and the payload that the variables of a custom script stand for: those of Sonarr or Radarr, in
    any case. None where there are none."""
    named = {name.lower(): value for name, value in environ.items()}
    for sender, file in (("sonarr", "episodefile"), ("radarr", "moviefile")):
        kind = named.get(f"{sender}_eventtype")
        if kind is None:
            continue
        several = named.get(f"{sender}_{file}_paths", "").split("|")
        paths = [path for path in (named.get(f"{sender}_{file}_path", ""), *several) if path]
        return sender, {"eventType": kind, f"{file.replace('file', 'File')}s": [
            {"path": path} for path in dict.fromkeys(paths)]}  # fmt: skip
    return None


def _plex(data: _Data) -> Notification:
    if data.get("event") != "library.new":
        return _OTHER
    return _by_item(_part(data, "Metadata").get("ratingKey"))


def _jellyfin(data: _Data) -> Notification:
    kind = data.get("NotificationType")
    if kind != "ItemAdded":
        return _TEST if kind in {"Test", "GenericUpdateNotification"} else _OTHER
    path = data.get("Path") or data.get("ItemPath")  # a template of the user's may have it
    return _by_paths([path]) if isinstance(path, str) else _by_item(data.get("ItemId"))


def _emby(data: _Data) -> Notification:
    if data.get("Event") == "system.notificationtest":
        return _TEST
    return _by_paths([_part(data, "Item").get("Path")]) if data.get("Event") == "library.new" else _OTHER


def _tautulli(data: _Data) -> Notification:
    if data.get("event") == "test":
        return _TEST
    return _by_paths([data.get("file")]) if data.get("event") == "added" else _OTHER


def _sonarr(data: _Data) -> Notification:
    return _arr(data, "episodeFile", "series", "path")


def _radarr(data: _Data) -> Notification:
    return _arr(data, "movieFile", "movie", "folderPath")


def _arr(data: _Data, file: str, owner: str, folder: str) -> Notification:
    """Read a payload of Sonarr or Radarr. `EpisodeImported` comes as `Download` too, so that one is enough."""
    if data.get("eventType") != "Download":
        return _TEST if data.get("eventType") == "Test" else _OTHER
    several = data.get(f"{file}s")
    files = several if isinstance(several, list) else [_part(data, file)]
    return _by_paths(_path_of(one, _part(data, owner).get(folder)) for one in files if isinstance(one, dict))


def _path_of(file: _Data, folder: object) -> object:
    relative = file.get("relativePath")
    whole = f"{folder.rstrip('/')}/{relative}" if isinstance(folder, str) and isinstance(relative, str) else None
    return file.get("path") or whole


def _by_paths(paths: Iterator[object] | list[object]) -> Notification:
    found = tuple(path for path in paths if isinstance(path, str) and path)
    return Notification("new", found) if found else _OTHER


def _by_item(item: object) -> Notification:
    """Return what is told by an id, which goes into an address: letters, digits and hyphens only."""
    text = str(item or "")
    return Notification("new", item=text) if text.replace("-", "").isalnum() and text.isascii() else _OTHER


def _part(data: _Data, name: str) -> _Data:
    part = data.get(name)
    return part if isinstance(part, dict) else {}


_READERS: Mapping[str, Callable[[_Data], Notification]] = {
    "plex": _plex, "jellyfin": _jellyfin, "emby": _emby, "tautulli": _tautulli, "sonarr": _sonarr, "radarr": _radarr,
}  # fmt: skip
SENDERS = tuple(_READERS)
