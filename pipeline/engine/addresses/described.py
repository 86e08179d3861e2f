"""Reads the facts that a page states about its media file, from the JSON of yt-dlp."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pipeline.base.errors import BadInput
from pipeline.publishing.names import portable
from shared.text.language_names import known_language
from shared.text.timecode import clock

_LONGEST = 160  # bytes of a title in the name of a file, which may have 255 together with what reel adds to it
_NUMBERED = {"generic", "html5mediaembed"}  # extractors, in small letters
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True)
class Described:
    """Media file behind an address, as its page describes it. `language` is a BCP-47 tag; None: not stated."""

    title: str
    language: str | None
    licence: str | None
    bytes: int | None
    duration_ms: int | None

    @property
    def name(self) -> str:
        """Return the title as the beginning of a file's name."""
        title = portable(_SPACES.sub(" ", self.title).strip().lstrip("."))
        return title.encode("utf-8", "ignore")[:_LONGEST].decode("utf-8", "ignore").rstrip(". ") or "media"

    def sentence(self, address: str) -> str:
        """Return the sentence for the user before anything is fetched."""
        length = clock(self.duration_ms) if self.duration_ms else "length not stated"
        size = f"{self.bytes / 1e6:.0f} MB" if self.bytes else "size not stated"
        licence = f"licence {self.licence}" if self.licence else "no licence stated"
        spoken = f"; language {self.language}, says the page" if self.language else ""
        return (
            f"{self.title}: {length}, {size}, {licence}{spoken}; from {urlsplit(address).hostname}."
            " Whether you may copy it is for you to know"
        )


def described(address: str, info: Mapping[str, Any]) -> Described:
    """Return the description of the media file that yt-dlp found at an address. Raises `BadInput` for several media
    files, for none, and for a live one."""
    found = list(_media(info))
    if len(found) != 1:
        names = ", ".join(str(film.get("title") or film.get("id")) for film in found[:5])
        text = f"{address} holds {len(found)} media files{f' ({names})' if names else ''}, expected one"
        raise BadInput("address.several", text, hint="name the address of one of them")
    (film,) = found
    if film.get("is_live"):
        hint = "name it again when it has ended"
        raise BadInput("address.live", f"{address} is still going on, expected a media file with an end", hint=hint)
    parts: Sequence[Mapping[str, Any]] = film.get("requested_formats") or (film,)
    sizes = [part.get("filesize") or part.get("filesize_approx") for part in parts]
    languages = [film.get("language"), *(part.get("language") for part in parts)]
    seconds = film.get("duration")
    return Described(
        title=_title(film, info),
        language=next(filter(None, map(_tag, languages)), None),
        licence=film.get("license") or info.get("license"),
        bytes=sum(int(size) for size in sizes if size) if all(sizes) else None,
        duration_ms=round(seconds * 1000) if isinstance(seconds, int | float) else None,
    )


def _media(info: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the media files; a page may be a list of lists."""
    if "entries" not in info:
        yield info
    for entry in info.get("entries") or ():
        if entry:
            yield from _media(entry)


def _title(film: Mapping[str, Any], page: Mapping[str, Any]) -> str:
    """Return the title of the page, without the number that yt-dlp adds to each `video` element, even to a single
    one."""
    title = str(page.get("title") or film.get("title") or film.get("id") or "media")
    return title.removesuffix(" (1)") if str(film.get("extractor_key")).lower() in _NUMBERED else title


def _tag(language: object) -> str | None:
    try:
        return known_language(str(language)) if language else None
    except ValueError:
        return None
