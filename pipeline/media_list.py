"""Which media a command is to work on: files, folders and patterns, lists with settings for each, and their order."""

from __future__ import annotations

import csv
import glob
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from pipeline.errors import BadInput, UsageError
from pipeline.settings import SHORT_NAMES, parse_assignment

# What a folder is searched for; a file that is named outright is taken whatever its name is.
_VIDEO = {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv"}
_VIDEO |= {".ts", ".webm", ".wmv"}
_AUDIO = {".aac", ".aiff", ".flac", ".m4a", ".mka", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".wma"}
MEDIA_SUFFIXES = _VIDEO | _AUDIO


@dataclass(frozen=True)
class Request:
    """One media, with settings of its own by their dotted names. A higher `priority` goes before."""

    media: Path
    overrides: Mapping[str, JsonValue] = field(default_factory=dict)
    priority: float = 0.0


def _size(request: Request) -> int:
    try:
        return request.media.stat().st_size
    except OSError:
        return 0


def _changed_ns(request: Request) -> int:
    try:
        return request.media.stat().st_mtime_ns
    except OSError:
        return 0


_ORDERS: dict[str, Callable[[Request], object]] = {
    "given": lambda request: 0,
    "name": lambda request: (request.media.name, str(request.media)),
    "smallest": _size,
    "largest": lambda request: -_size(request),
    "oldest": _changed_ns,
    "newest": lambda request: -_changed_ns(request),
}
ORDERS = tuple(_ORDERS)


def find_media(arguments: Sequence[str], media_root: Path) -> list[Path]:
    """The files that arguments name: files, folders (searched through), patterns. Raises `UsageError`."""
    found: list[Path] = []
    for argument in arguments:
        path = media_root / argument
        if path.is_dir():
            inside = media_in(path)
            if not inside:
                raise UsageError("media.none", f"there is no media file in the folder {argument}")
            found += inside
        elif path.exists() or not glob.has_magic(argument):
            found.append(path)
        else:
            matches = [media_root / match for match in sorted(glob.glob(argument, root_dir=media_root, recursive=True))]
            if not matches:
                raise UsageError("media.none", f"no file matches {argument}")
            found += matches
    return list(dict.fromkeys(absolute(path) for path in found))


def absolute(path: Path) -> Path:
    """The path from the root, without `..`. A link stays a link: its own name is the one that the user knows."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` would follow the link


def media_in(folder: Path) -> list[Path]:
    """The media files below a folder, by their suffixes; links to folders are not followed."""
    return [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in MEDIA_SUFFIXES and file.is_file()]


def read_list(path: Path) -> list[Request]:
    """The media of a list: JSON lines, or CSV with a head, by its suffix. `media` is a file, from the list's folder;
    `priority` a number; everything else a setting. Raises `BadInput` with the line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("manifest.unreadable", f"{path} cannot be read as text: {error}") from error
    rows = _csv_rows(text) if path.suffix.lower() == ".csv" else _json_rows(text, path)
    requests = [_request(row, path, number) for number, row in rows]
    if not requests:
        raise BadInput("manifest.empty", f"{path} names no media")
    return requests


def ordered(requests: Sequence[Request], order: str, limit: int | None) -> list[Request]:
    """In the order to be worked on, the first `limit` of them; a higher priority goes first in any order."""
    placed = sorted(requests, key=_ORDERS[order])  # type: ignore[arg-type]
    placed.sort(key=lambda request: -request.priority)
    return placed if limit is None else placed[:limit]


def _json_rows(text: str, path: Path) -> Iterator[tuple[int, dict[str, JsonValue]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise _wrong(path, number, f"is not JSON: {error.msg}") from error
        if not isinstance(row, dict):
            raise _wrong(path, number, "is not a JSON object")
        yield number, row


def _csv_rows(text: str) -> Iterator[tuple[int, dict[str, JsonValue]]]:
    reader = csv.DictReader(text.splitlines())
    for row in reader:
        values: dict[str, JsonValue] = {}
        for name, word in row.items():
            if name and word:
                values[name.strip()] = word if name.strip() == "media" else parse_assignment(f"x={word}")[1]
        yield reader.line_num, values


def _request(row: Mapping[str, JsonValue], path: Path, number: int) -> Request:
    media, priority = row.get("media"), row.get("priority", 0)
    if not isinstance(media, str) or not media:
        raise _wrong(path, number, 'has no `media`, expected one like {"media": "film.mkv", "to": ["pt"]}')
    if isinstance(priority, bool) or not isinstance(priority, int | float):
        raise _wrong(path, number, f"has the priority {priority!r}, expected a number")
    overrides: dict[str, JsonValue] = {}
    for name, value in row.items():
        if name in {"media", "priority"}:
            continue
        if name == "to" and isinstance(value, str):
            value = [part.strip() for part in value.replace(" ", ",").split(",") if part.strip()]
        full = SHORT_NAMES.get(name, f"stages.{name}" if "." in name and not name.startswith("stages.") else name)
        overrides[full] = value
    return Request(absolute(path.parent / media), overrides, float(priority))


def _wrong(path: Path, number: int, what: str) -> BadInput:
    return BadInput("manifest.line", f"line {number} of {path} {what}")
