"""Makes file names that a disk allows, and a free name if one is taken. Pure."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from shared.text.subtitle_names import is_subtitle, split_name
from shared.text.text_width import clusters

_MARK = ".reel"  # part of a name that avoids a file of other people
_DIGEST_DIGITS = 8
_NOTHING_LEFT = "media"
_NOT_PORTABLE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"}
_DEVICES |= {f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789\u00b9\u00b2\u00b3"}


@dataclass(frozen=True)
class NameRules:
    """Rules of a disk for names: at most `longest` units (bytes; on Windows UTF-16 units), and with `portable` only
    characters that every disk allows."""

    longest: int = 255
    portable: bool = os.name == "nt"

    def size(self, name: str) -> int:
        """Return the length of a name as the disk counts it."""
        return len(name.encode("utf-16-le")) // 2 if os.name == "nt" else len(os.fsencode(name))


def stem_of(file_name: str, rules: NameRules) -> str:
    """Return the stem of a media file's folder and published files: its name without the suffix, and for a subtitle
    also without the language: `film` for `film.en.srt`.

    Leading dots are removed, because they hide a file, and a name of dots alone means this folder or its parent.
    """
    stem, _, suffix = file_name.rpartition(".")
    if is_subtitle(file_name):
        stem, _ = split_name(file_name)
    bare = (stem or file_name).lstrip(".")
    name = bare if bare.strip() else suffix or _NOTHING_LEFT
    return portable(name) if rules.portable else name


def portable(name: str) -> str:
    """Return the name with only the characters that every disk allows, and not as the name of a Windows device."""
    name = _NOT_PORTABLE.sub("_", name).rstrip(". ") or "_"
    first, dot, rest = name.partition(".")
    return f"{first}_{dot}{rest}" if first.rstrip().upper() in _DEVICES else name


def is_portable(name: str) -> bool:
    """Tell whether every disk allows the characters of a name."""
    return portable(name) == name


def fitted(stem: str, tail: str, rules: NameRules) -> str:
    """Return `stem` and `tail` as one name. The stem, which may begin with a folder, is cut if the name is too long.

    A cut stem ends with a part of the digest of the stem, so that it is unique, and the same in every run.
    """
    folder, slash, stem = stem.rpartition("/")
    room = rules.longest - rules.size(tail)
    if rules.size(stem) <= room:
        return folder + slash + stem + tail
    mark = "-" + hashlib.sha256(os.fsencode(stem)).hexdigest()[:_DIGEST_DIGITS]
    room -= rules.size(mark)
    kept = ""
    for cluster in clusters(stem):
        if rules.size(kept + cluster) > room:
            break
        kept += cluster
    return folder + slash + kept.rstrip(". ") + mark + tail


def free_names(stem: str, tail: str, rules: NameRules) -> Iterator[str]:
    """Yield the name, then the alternatives if it belongs to other people: `Film.reel.en.srt`, `Film.reel-2.en.srt`."""
    yield fitted(stem, tail, rules)
    yield fitted(stem, _MARK + tail, rules)
    for number in itertools.count(2):
        yield fitted(stem, f"{_MARK}-{number}{tail}", rules)


def alike(name: str) -> str:
    """Return a form of the name for comparison, which ignores letter case and Unicode composition, as some disks do."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
