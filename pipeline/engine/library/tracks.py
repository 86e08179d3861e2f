"""Reads the tracks inside films with ffmpeg, once for each file, to see whether a film has subtitles.

The core has no library for containers, and starting a worker would take far longer than the 20 ms of ffmpeg. The tracks
are kept in the index by the file's identity, so that a known film needs no process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipeline.store.index import Index
from pipeline.store.media_file import identity_of
from shared.documents.media import TEXT_CODECS, is_commentary
from shared.text.language import language_of_track

_STREAM = re.compile(
    r"\s*Stream #\d+:\d+(?:\[0x[0-9a-f]+\])?(?:\((?P<language>[^)]*)\))?: (?P<kind>Audio|Subtitle): (?P<codec>\w+)"
)
_TITLE = re.compile(r"\s+title\s*: (?P<title>.*)")
_FLAG = re.compile(r"\((default|forced|comment|hearing impaired|visual impaired|descriptions|captions)\)")
_FOREIGN_PARTS = re.compile(r"\bforced\b|\bforeign\b|\bsigns\b", re.IGNORECASE)
_FIELDS = ("kind", "codec", "language", "title", "flags")

_Identity = tuple[int, int, int, int]  # device, inode, size and modification time of a file


@dataclass(frozen=True)
class InnerTrack:
    """Audio or subtitle track. `language` is BCP-47, or None if the file does not state it; `flags` are ffmpeg's."""

    kind: str  # audio or subtitle
    codec: str
    language: str | None
    title: str
    flags: tuple[str, ...]

    @property
    def is_text(self) -> bool:
        """Tell whether the track is a subtitle in text, not in pictures."""
        return self.kind == "subtitle" and self.codec in TEXT_CODECS

    @property
    def is_full_text(self) -> bool:
        """Tell whether the track is a text subtitle of all speech in the film."""
        if not self.is_text or "forced" in self.flags:
            return False
        return not (is_commentary(self.title) or _FOREIGN_PARTS.search(self.title))

    @property
    def is_aside(self) -> bool:
        """Tell whether the track is a commentary or an audio description."""
        aside = {"comment", "visual impaired", "descriptions"} & set(self.flags)
        return bool(aside) or is_commentary(self.title)


def parse_tracks(output: str) -> tuple[InnerTrack, ...]:
    """Return the tracks in the output of `ffmpeg -i`."""
    found: list[InnerTrack] = []
    takes_title = False
    for line in output.splitlines():
        if stream := _STREAM.match(line):
            flags = tuple(_FLAG.findall(line[stream.end() :]))
            language = language_of_track(stream["language"])
            found.append(InnerTrack(stream["kind"].lower(), stream["codec"], language, "", flags))
            takes_title = True
        elif "Stream #" in line:
            takes_title = False
        elif takes_title and (title := _TITLE.match(line)):
            last = found[-1]
            found[-1] = InnerTrack(last.kind, last.codec, last.language, title["title"], last.flags)
    return tuple(found)


class TrackIndex:
    """Tracks of films, kept in the index by the films' identity. `describe` returns ffmpeg's description of a file;
    without it, unknown films have no tracks."""

    def __init__(self, index: Index, describe: Callable[[Path], str] | None, at_once: int) -> None:
        self._index, self._describe, self._at_once = index, describe, at_once
        self._known: dict[_Identity, tuple[InnerTrack, ...]] = {}

    def of(self, film: Path) -> tuple[InnerTrack, ...]:
        """Return the tracks of a film; none if ffmpeg cannot read it."""
        identity = _identity(film)
        if identity is None:
            return ()
        if identity not in self._known:
            self.look_into([film])
        return self._known.get(identity, ())

    def look_into(self, films: Sequence[Path]) -> None:
        """Read the tracks of these films, several at once, unless they are known."""
        unknown: dict[_Identity, Path] = {}
        for film in films:
            identity = _identity(film)
            if identity is None or identity in self._known:
                continue
            before = self._remembered(identity)
            if before is None:
                unknown[identity] = film
            else:
                self._known[identity] = before
        if not unknown or self._describe is None:
            return
        with ThreadPoolExecutor(self._at_once) as pool:
            for identity, output in zip(unknown, pool.map(self._describe, unknown.values()), strict=True):
                tracks = parse_tracks(output)
                self._known[identity] = tracks
                self._remember(identity, unknown[identity], tracks)

    def _remembered(self, identity: _Identity) -> tuple[InnerTrack, ...] | None:
        query = "SELECT tracks FROM media_tracks WHERE device = ? AND inode = ? AND size = ? AND modified_ns = ?"
        for row in self._index.query(query, identity):
            rows = [dict(zip(_FIELDS, values, strict=True)) for values in json.loads(str(row[0]))]
            return tuple(InnerTrack(**{**values, "flags": tuple(values["flags"])}) for values in rows)
        return None

    def _remember(self, identity: _Identity, film: Path, tracks: tuple[InnerTrack, ...]) -> None:
        if self._index.is_open and _identity(film) == identity:
            rows = [[getattr(track, name) for name in _FIELDS] for track in tracks]
            names = ("device", "inode", "size", "modified_ns", "tracks")
            self._index.put("media_tracks", dict(zip(names, (*identity, json.dumps(rows)), strict=True)))


def _identity(film: Path) -> _Identity | None:
    try:
        identity = identity_of(film.stat())
    except OSError:
        return None
    return identity.device, identity.inode, identity.size, identity.modified_ns
