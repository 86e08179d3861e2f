"""Makes names that a disk takes: none that climbs or is too long, and a free one where a name is taken. Pure."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from shared.text.text_width import clusters

_MARK = ".reel"  # stands in a name that gives way to a file of other people
_DIGEST_DIGITS = 8
_NOTHING_LEFT = "media"
_NOT_PORTABLE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"}
_DEVICES |= {f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789\u00b9\u00b2\u00b3"}


@dataclass(frozen=True)
class NameRules:
    """Limits of a disk: names of at most `longest` units (bytes; on Windows UTF-16 units), and characters of every
    kind unless only `portable` ones."""

    longest: int = 255
    portable: bool = os.name == "nt"

    def size(self, name: str) -> int:
        """Return the length of a name as the disk counts it."""
        return len(name.encode("utf-16-le")) // 2 if os.name == "nt" else len(os.fsencode(name))


def stem_of(file_name: str, rules: NameRules) -> str:
    """Return the name that a media file's folder and published files begin with: its own, without the suffix.

    Leading dots go: they hide a name, and names of dots alone mean this folder and the one above it.
    """
    stem, _, suffix = file_name.rpartition(".")
    bare = (stem or file_name).lstrip(".")
    name = bare if bare.strip() else suffix or _NOTHING_LEFT
    return portable(name) if rules.portable else name


def portable(name: str) -> str:
    """Return the name in characters that every disk takes, and not the name of a device of Windows."""
    name = _NOT_PORTABLE.sub("_", name).rstrip(". ") or "_"
    first, dot, rest = name.partition(".")
    return f"{first}_{dot}{rest}" if first.rstrip().upper() in _DEVICES else name


def is_portable(name: str) -> bool:
    """Tell whether every disk takes the characters of a name."""
    return portable(name) == name


def fitted(stem: str, tail: str, rules: NameRules) -> str:
    """Return `stem` and `tail` as one name, with the stem cut where both are too long for the disk. A stem may begin
    with a folder, which does not count.

    A cut stem ends with a part of its digest, so that it is the same at every run and no other stem becomes it.
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
    """Yield the name, then those to take where it is of other people: `Film.reel.en.srt`, `Film.reel-2.en.srt`."""
    yield fitted(stem, tail, rules)
    yield fitted(stem, _MARK + tail, rules)
    for number in itertools.count(2):
        yield fitted(stem, f"{_MARK}-{number}{tail}", rules)


def alike(name: str) -> str:
    """Return what two names have in common that are one on some disks and for every reader."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
