"""Confines what a request may name to the media folders that the server was started with."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.web.refused import Refused
from shared.containers import MEDIA_SUFFIXES

PAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pdf", ".png", ".tif", ".tiff", ".webp"})
"""Names of files with pages end so: they are listed where pages are read, since each film has a poster beside it."""
LISTED = 1000
"""So many entries of a folder are listed at most."""


@dataclass(frozen=True)
class Entry:
    """Media file or, without `bytes`, folder, with its absolute path."""

    name: str
    path: str
    bytes: int | None = None


@dataclass(frozen=True)
class Listing:
    """Content of a folder. `parent` is the folder above it: empty for the list of media folders, None where there is
    none. `more` files are not listed."""

    path: str
    parent: str | None
    folders: tuple[Entry, ...]
    files: tuple[Entry, ...]
    more: int = 0


@dataclass(frozen=True)
class MediaRoots:
    """Folders that requests may name files in, links resolved, and maps from another machine's paths to ours."""

    folders: tuple[Path, ...] = ()
    maps: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, folders: Sequence[str], maps: Sequence[tuple[str, str]]) -> MediaRoots:
        """Return the roots that a command names. The longest map comes first, as the most exact one."""
        longest_first = sorted(maps, key=lambda pair: -len(pair[0]))
        return cls(tuple(Path(folder).resolve() for folder in folders), tuple(longest_first))

    def find(self, name: str) -> Path:
        """Return the regular file that a request names, by its path on this machine. Raises `Refused`."""
        try:
            path = self._within(name)
            is_file = stat.S_ISREG(path.stat().st_mode)
        except (OSError, ValueError, RuntimeError) as error:
            raise Refused(404, "media.missing", "there is no such file in the media folders") from error
        if not is_file:
            raise Refused(422, "media.not-a-file", "the path is not that of a regular file")
        return path

    def listing(self, name: str, suffixes: Collection[str] = MEDIA_SUFFIXES) -> Listing:
        """Return the folders in a folder, and its files whose names end so; the media folders themselves for an empty
        name. Hidden ones, and links that lead out of the media folders, are not listed. Raises `Refused`."""
        if not name:
            return Listing("", None, tuple(Entry(str(folder), str(folder)) for folder in self.folders), ())
        try:
            folder = self._within(name)
            entries = sorted(os.scandir(folder), key=lambda entry: _in_order(entry.name))
            shown = [entry for entry in entries if not entry.name.startswith(".")]
            found = [listed for entry in shown if (listed := self._entry(entry, suffixes))]
        except NotADirectoryError as error:
            raise Refused(422, "serve.path", "the path is not that of a folder") from error
        except (OSError, ValueError, RuntimeError) as error:
            raise Refused(404, "media.missing", "there is no such folder in the media folders") from error
        folders = tuple(entry for entry in found if entry.bytes is None)
        files = tuple(entry for entry in found if entry.bytes is not None)
        parent = str(folder.parent) if folder not in self.folders else ""
        return Listing(str(folder), parent, folders[:LISTED], files[:LISTED], max(len(files) - LISTED, 0))

    def _within(self, name: str) -> Path:
        """Return the path on this machine that a request names, links resolved. Raises `Refused`, and what `resolve`
        raises."""
        if not self.folders:
            hint = "start it with `--media DIR`, or upload the file"
            raise Refused(403, "serve.media", "this server was started without a folder of media files", hint)
        mapped = self.mapped(name)
        if "\0" in mapped or not os.path.isabs(mapped):  # noqa: PTH117 - the text is not known to be a path yet
            raise Refused(422, "serve.path", "expected the absolute path of a media file")
        path = Path(mapped).resolve()
        if not self._has(path):
            raise Refused(
                403, "serve.outside", "the path is outside the media folders of this server",
                "start it with `--media DIR`, and `--map FROM=TO` where the other program sees other paths",
            )  # fmt: skip
        return path

    def _entry(self, entry: os.DirEntry[str], suffixes: Collection[str]) -> Entry | None:
        """Return an entry of a folder, if it is a folder or a wanted file that may be named."""
        try:
            if entry.is_symlink() and not self._has(Path(entry.path).resolve()):
                return None
            if entry.is_dir():
                return Entry(entry.name, entry.path)
            if entry.is_file() and os.path.splitext(entry.name)[1].lower() in suffixes:  # noqa: PTH122
                return Entry(entry.name, entry.path, entry.stat().st_size)
        except (OSError, RuntimeError):  # it is gone meanwhile, or links lead in a circle
            pass
        return None

    def _has(self, path: Path) -> bool:
        return any(path.is_relative_to(folder) for folder in self.folders)

    def mapped(self, name: str) -> str:
        """Return another machine's path as this machine sees it. A map applies to whole folders."""
        for theirs, ours in self.maps:
            start = theirs.rstrip("/\\")
            if name == start or name.startswith((f"{start}/", f"{start}\\")):
                rest = name[len(start) :].replace("\\", "/") if "\\" in theirs or "\\" in name else name[len(start) :]
                return ours.rstrip("/") + rest
        return name


def _in_order(name: str) -> list[tuple[int, str]]:
    """Return what names are sorted by: numbers by their value, so that `Part 10` comes after `Part 9`."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(int(part) if part.isdecimal() else -1, part) for part in parts]
