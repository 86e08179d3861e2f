"""Finds the media files for a command, from files, folders, patterns and lists, in the requested order, and checks that
a file can be worked on."""

from __future__ import annotations

import csv
import glob
import io
import itertools
import json
import math
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from pipeline.base.display_paths import as_text, shown
from pipeline.base.errors import BadInput, UsageError
from pipeline.base.setting_names import SHORT_NAMES
from pipeline.base.settings import check_override, parse_assignment
from pipeline.engine.folder_walk import FolderWalk, describe_skipped
from pipeline.engine.patterns import expand
from pipeline.plan.model import ExistingSubtitle
from pipeline.plan.registry import PARAMETERS
from shared.containers import MEDIA_SUFFIXES
from shared.files import is_valid_name, read_once
from shared.mistakes import text_mistake
from shared.text.language_names import split_languages
from shared.text.tables import separator_of

_LINE_END = re.compile(r"\r\n|\r|\n")  # `splitlines` also cuts at characters that a name may contain
_TABLES = (".csv", ".tsv")
_HINT = (
    'a line is like {"media": "film.mkv", "to": ["pt"]}; a file named .csv or .tsv is a table with the column `media`'
)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """Request to work on a media file.

    `overrides` are settings of its own by dotted names. A higher `priority` runs first. `has` are the languages of
    existing subtitles that reel did not make, if it looked for them, and `subtitle` is the one to use instead of
    recognition. `order` is a file with corrections to take in or to drop; see `pipeline.publishing.edit_order`.
    """

    media: Path
    overrides: Mapping[str, JsonValue] = field(default_factory=dict)
    priority: float = 0.0
    has: tuple[str, ...] = ()
    order: Path | None = None
    subtitle: ExistingSubtitle | None = None


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


def find_media(arguments: Sequence[str], media_root: Path, walk: FolderWalk) -> list[Path]:
    """Return the files that arguments name: files, folders (searched by `walk`), and patterns. A file that is named
    directly may have any suffix. Raises `UsageError`."""
    found: list[Path] = []
    for argument in arguments:
        check_name(argument)
        path = media_root / argument
        if _is_folder(path):
            found += media_in(path, argument, walk)
        elif os.path.lexists(path) or not glob.has_magic(argument):
            found.append(path)
        else:
            found += _matching(argument, media_root, walk)
    return _without_repetitions(absolute(path) for path in found)


def _is_folder(path: Path) -> bool:
    """Tell whether a path is a folder. A path that cannot be examined counts as a file, and is reported later."""
    try:
        return path.is_dir()
    except OSError:  # the name is too long, or the folder above may not be read
        return False


def check_name(text: str) -> None:
    """Raise `UsageError` for an empty text, which would mean the current folder, and for a network address."""
    if not text.strip():
        raise UsageError(
            "media.empty-name",
            "the name of a file is empty, expected a file, a folder or a pattern",
            hint="a shell variable that is not set gives an empty name; `.` is the current folder",
        )
    if _ADDRESS.match(text) and not os.path.lexists(text):
        raise UsageError(
            "media.address",
            f"{as_text(text)} is an address, expected a file or a folder",
            hint="only the command `run` takes addresses, and only http or https; else download it, and name the file",
        )


def check_media(media: Path) -> None:
    """Raise `BadInput` unless the path is a readable media file."""
    try:
        mode, size = media.stat().st_mode, media.stat().st_size
    except (FileNotFoundError, NotADirectoryError) as error:
        if media.is_symlink():
            text = f"{shown(media)} is a link to {shown(media.readlink())}, which is not there"
            raise BadInput("media.missing", text, hint="bring that file back, or name another one") from error
        text = f"{shown(media)} is not there"
        raise BadInput("media.missing", text, hint="check the spelling; quote names with spaces") from error
    except OSError as error:
        raise unreadable(media, error) from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "neither a file nor a folder"
        raise BadInput("media.not-a-file", f"{shown(media)} is {kind}, expected a media file")
    if size == 0:
        hint = "copy it again: a copy or download that was interrupted may leave an empty file"
        raise BadInput("media.empty", f"{shown(media)} is empty, expected a media file", hint=hint)
    try:
        str(media).encode()
    except UnicodeEncodeError as error:
        text = f"the name of {shown(media)} is not text in UTF-8"
        raise BadInput("media.name", text, hint="rename the file, or give a link to it") from error


def unreadable(media: Path, error: OSError) -> BadInput:
    """Return the error for a media file that cannot be read."""
    return BadInput("media.unreadable", f"{shown(media)} cannot be read: {error.strerror or error}")


def media_in(folder: Path, name: str, walk: FolderWalk) -> list[Path]:
    """Return the media files below a folder that the user called `name`. Raises `UsageError` if it has none."""
    before = Counter(walk.passed)
    try:
        inside = [Path(entry.path) for entry in walk.media(str(absolute(folder)))]
    except OSError as error:
        text = f"the folder {as_text(name)} cannot be read: {error.strerror or error}"
        raise UsageError("media.folder", text, hint="check its permissions") from error
    if not inside:
        passed = describe_skipped(walk.passed - before)
        raise UsageError(
            "media.none",
            f"there is no media file in the folder {as_text(name)}{f'; {passed}' if passed else ''}",
            hint="name a file directly to have it accepted with any suffix",
        )
    return inside


def _matching(pattern: str, media_root: Path, walk: FolderWalk) -> list[Path]:
    """Return the files that match a pattern, and the media files in matching folders.

    A pattern without a suffix at its end, such as `films/*`, matches only media files; one with a suffix matches every
    file that has it.
    """
    fixed = media_root.joinpath(*itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts))
    suffix = Path(pattern).suffix
    any_suffix = bool(suffix) and not glob.has_magic(suffix)
    found: list[Path] = []
    searched: set[Path] = set()
    for match in expand(pattern, media_root):
        path = media_root / match
        is_folder = _is_folder(path)
        if not searched.isdisjoint(path.parents):
            continue
        is_wanted = is_folder or any_suffix or path.suffix.lower() in MEDIA_SUFFIXES
        if not is_wanted or walk.skips(path, fixed):
            continue
        if is_folder:
            searched.add(path)
        found += [Path(entry.path) for entry in walk.media(str(absolute(path)))] if is_folder else [path]
    if not found:
        passed = describe_skipped(walk.passed)
        raise UsageError("media.none", f"no media file matches {as_text(pattern)}{f'; {passed}' if passed else ''}")
    return found


def _without_repetitions(paths: Iterable[Path]) -> list[Path]:
    """Return each path once, also if its folder is named in several ways.

    Two names of one file, by a hard or symbolic link, stay two: the user may want results beside each, and the steps
    run once in any case.
    """
    folders: dict[Path, Path] = {}
    found: dict[tuple[Path, str], Path] = {}
    for path in paths:
        folder = folders.get(path.parent) or folders.setdefault(path.parent, path.parent.resolve())
        found.setdefault((folder, path.name), path)
    return list(found.values())


def absolute(path: Path) -> Path:
    """Return the absolute path without `..`. Links are not resolved: the user knows the file by the link's name."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` would follow the link


def read_list(path: Path, walk: FolderWalk) -> list[Request]:
    """Read a list of media files: JSON lines, or for `.csv` and `.tsv` a table with a header.

    `media` is a file or a folder, relative to the list's folder; `priority` is a number; every other field is a
    setting. Raises `BadInput` with the number of the line.
    """
    try:
        text = read_once(path).decode("utf-8-sig")  # line ends are kept: a name in quotes may contain them
    except (OSError, UnicodeDecodeError) as error:
        why = text_mistake(error) if isinstance(error, UnicodeDecodeError) else error.strerror or error
        raise BadInput(
            "manifest.unreadable",
            f"the list {path} cannot be read as text: {why}",
            hint="a list is a text file in UTF-8, or a pipe that a program writes to already",
        ) from error
    rows = _csv_rows(text, path) if path.suffix.lower() in _TABLES else _json_rows(text, path)
    requests = [request for number, row in rows for request in _requests_of_row(row, path, number, walk)]
    if not requests:
        raise BadInput("manifest.empty", f"{path} names no media file")
    return requests


def ordered(requests: Sequence[Request], order: str, limit: int | None) -> list[Request]:
    """Return the first `limit` requests in processing order. A higher priority always comes first."""
    found = sorted(requests, key=_ORDERS[order])  # type: ignore[arg-type]
    found.sort(key=lambda request: -request.priority)
    return found if limit is None else found[:limit]


def _json_rows(text: str, path: Path) -> Iterator[tuple[int, dict[str, JsonValue]]]:
    for number, line in enumerate(_LINE_END.split(text), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:  # `ValueError` also for a number with too many digits
            raise _wrong(path, number, f"is not JSON: {getattr(error, 'msg', error)}", _HINT) from error
        if not isinstance(row, dict):
            raise _wrong(path, number, "is not a JSON object", _HINT)
        yield number, row


def _csv_rows(text: str, path: Path) -> Iterator[tuple[int, dict[str, JsonValue]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator_of(text), strict=True)
    try:
        for row in reader:
            if None in row:
                what = "has more fields than the first line names; a name that holds a comma stands in quotes"
                raise _wrong(path, reader.line_num, what)
            values: dict[str, JsonValue] = {}
            for name, word in row.items():
                if name and word:
                    values[name.strip()] = word if name.strip() == "media" else parse_assignment(f"x={word}")[1]
            yield reader.line_num, values
    except csv.Error as error:
        raise _wrong(path, reader.line_num, f"is not CSV: {error}") from error


def _requests_of_row(row: Mapping[str, JsonValue], path: Path, number: int, walk: FolderWalk) -> list[Request]:
    media, priority = row.get("media"), row.get("priority", 0)
    if not isinstance(media, str) or not media.strip():
        raise _wrong(path, number, "has no `media`, the name of a media file", _HINT)
    if isinstance(priority, bool) or not isinstance(priority, int | float) or not _is_finite(priority):
        raise _wrong(path, number, f"has the priority {priority!r}, expected a number")
    overrides = _overrides_of_row(row, path, number)
    if not is_valid_name(media):
        raise _wrong(path, number, f"names {json.dumps(media)}, with a character that no file name can contain")
    place = absolute(path.parent / media)
    try:
        check_name(media)
        files = media_in(place, media, walk) if _is_folder(place) else [place]
    except UsageError as error:
        raise _wrong(path, number, f"names no media file: {error.message}") from error
    return [Request(file, overrides, float(priority)) for file in files]


def _overrides_of_row(row: Mapping[str, JsonValue], path: Path, number: int) -> dict[str, JsonValue]:
    """Return the settings in a row by dotted names. A subtitle file is named relative to the list's folder."""
    overrides: dict[str, JsonValue] = {}
    for name, value in row.items():
        if name in {"media", "priority"}:
            continue
        full = SHORT_NAMES.get(name, f"stages.{name}" if "." in name and not name.startswith("stages.") else name)
        try:
            check_override(full, PARAMETERS)
        except UsageError as error:
            raise _wrong(path, number, f"sets `{name}`: {error.message}", error.hint) from error
        if full == "to" and isinstance(value, str):
            value = list[JsonValue](split_languages(value))
        elif full == "subtitles" and os.path.isfile(path.parent / str(value)):  # noqa: PTH113 - False for any odd name
            value = str(absolute(path.parent / str(value)))
        overrides[full] = value
    return overrides


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer of hundreds of digits
        return False


def _wrong(path: Path, number: int, what: str, hint: str | None = None) -> BadInput:
    return BadInput("manifest.line", f"line {number} of {path} {what}", hint=hint)
