"""Finds the subtitle files beside a film, by the names that media servers and people give them:

Film (2020).en.srt, Film (2020).eng.forced.ass, Film (2020).English.sdh.vtt, Film (2020).srt
Subs/Film (2020).en.srt, Subs/Film (2020)/2_English.srt, and Subs/English.srt where the folder holds one film
"""

from __future__ import annotations

import contextlib
import os
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TypeVar

from shared.containers import MEDIA_SUFFIXES
from shared.documents.cue import Kind
from shared.text.subtitle_names import TEXT_SUFFIXES, WORDS, facts_of, is_subtitle, parts_of_name, says_something

_PICTURES_OF = ".idx"
_FOLDERS = frozenset({"sub", "subs", "subtitle", "subtitles"})
_T = TypeVar("_T")


@dataclass(frozen=True)
class Sidecar:
    """Subtitle file beside a film: its name relative to the film's folder, and the language and kind that the name
    states."""

    name: str
    language: str | None
    kind: Kind = "full"

    @property
    def forced(self) -> bool:
        """Tell whether it has only the forced parts, such as signs and foreign speech."""
        return self.kind == "forced"


@dataclass(frozen=True)
class Listing:
    """Names in one folder, sorted so that those with a common beginning are found at once: a folder may hold thousands.

    `stems` are those of media files, `subtitles` are pairs of a stem and a file name. `folders` are keyed by name,
    `folder_stems` by name without suffix.
    """

    stems: tuple[str, ...]
    subtitles: tuple[tuple[str, str], ...]
    folders: Mapping[str, Sequence[str]]
    folder_stems: Mapping[str, Sequence[str]]

    def longer_stems(self, stem: str) -> list[str]:
        """Return the stems of media files that are longer than `stem` and begin with it."""
        return [other for other in _beginning(self.stems, stem, str) if other != stem]

    def subtitles_of(self, stem: str) -> list[tuple[str, str]]:
        """Return the subtitles whose names begin with `stem`."""
        return list(_beginning(self.subtitles, stem, itemgetter(0)))


def listing_of(folder: str) -> Listing:
    """Return the names in a folder; none if it cannot be read."""
    files: list[str] = []
    folders: defaultdict[str, list[str]] = defaultdict(list)
    folder_stems: defaultdict[str, list[str]] = defaultdict(list)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                folders[_alike(entry.name)].append(entry.name)
                folder_stems[_alike(_split(entry.name)[0])].append(entry.name)
            else:
                files.append(entry.name)
    stems = {_alike(base) for base, suffix in map(_split, files) if suffix in MEDIA_SUFFIXES}
    subtitles = sorted((_alike(_split(name)[0]), name) for name in _text_subtitles(files))
    return Listing(tuple(sorted(stems)), tuple(subtitles), folders, folder_stems)


class Sidecars:
    """Finds the subtitle files of films. Each folder is read once, for all the films in it."""

    def __init__(self) -> None:
        self._listings: dict[str, Listing] = {}

    def forget(self) -> None:
        """Read the folders again from now on."""
        self._listings.clear()

    def of(self, folder: str, film: str) -> list[Sidecar]:
        """Return the subtitle files of `film`, a file name in `folder`."""
        here = self._listing(folder)
        stem = _alike(_split(film)[0])
        longer = here.longer_stems(stem)
        found = _named_after(stem, longer, here, "")
        for name in sorted(name for kind in _FOLDERS for name in here.folders.get(kind, ())):
            found += self._inside(os.path.join(folder, name), name, stem, longer)
            if set(here.stems) <= {stem}:
                known = {sidecar.name for sidecar in found}
                every = _free_names(self._listing(os.path.join(folder, name)), f"{name}/")
                found += [sidecar for sidecar in every if sidecar.name not in known]
        return found

    def folders_of(self, folder: str, film: str) -> Sequence[str]:
        """Return the folders in `folder` that are named after `film`, with any suffix, or after a subtitle of it."""
        stems, stem = self._listing(folder).folder_stems, _alike(_split(film)[0])
        subtitles = (names for other, names in stems.items() if other.startswith(f"{stem}."))
        return [*stems.get(stem, ()), *(name for names in subtitles for name in names if is_subtitle(name))]

    def _inside(self, path: str, name: str, stem: str, longer: Sequence[str]) -> list[Sidecar]:
        """Return the subtitles in a folder for subtitles: by the film's name, or in a folder of that name."""
        inside = self._listing(path)
        found = _named_after(stem, longer, inside, f"{name}/")
        for below in inside.folders.get(stem, ()):
            found += _free_names(self._listing(os.path.join(path, below)), f"{name}/{below}/")
        return found

    def _listing(self, folder: str) -> Listing:
        if folder not in self._listings:
            self._listings[folder] = listing_of(folder)
        return self._listings[folder]


def _beginning(ordered: Sequence[_T], start: str, name_of: Callable[[_T], str]) -> Iterator[_T]:
    """Yield the items whose names begin with `start`. `ordered` is sorted by name."""
    for index in range(bisect_left(ordered, start, key=name_of), len(ordered)):
        if not name_of(ordered[index]).startswith(start):
            return
        yield ordered[index]


def _named_after(stem: str, longer: Sequence[str], listing: Listing, prefix: str) -> list[Sidecar]:
    """Return the subtitles whose names begin with the film's name but not with the longer name of another film."""
    found = []
    for base, name in listing.subtitles_of(stem):
        if any(base == other or base.startswith(f"{other}.") for other in longer):
            continue
        rest = base[len(stem) :]
        words = WORDS.findall(rest)
        # Servers expect a dot; people also write `film-en.srt`. There every word must be a flag or a language.
        if not rest or rest[0] == "." or (rest[0] in "-_ ([" and words and all(map(says_something, words))):
            found.append(_sidecar(f"{prefix}{name}", parts_of_name(rest)))
    return found


def _free_names(listing: Listing, prefix: str) -> list[Sidecar]:
    """Return all subtitles of a folder, where names such as `2_English.srt` do not contain the film's name."""
    return [_sidecar(f"{prefix}{name}", parts_of_name(base)) for base, name in listing.subtitles]


def _text_subtitles(files: Sequence[str]) -> Iterator[str]:
    names = {name.lower() for name in files}
    for name in files:
        base, suffix = _split(name)
        if name.startswith(".") or suffix not in TEXT_SUFFIXES:
            continue
        if suffix == ".sub" and f"{base.lower()}{_PICTURES_OF}" in names:
            continue
        yield name


def _sidecar(name: str, words: Sequence[str]) -> Sidecar:
    facts = facts_of(words)
    return Sidecar(name, facts.language, facts.kind)


def _split(name: str) -> tuple[str, str]:
    """Return a name and its suffix in lower case. As text, since a library has thousands of names."""
    base, suffix = os.path.splitext(name)  # noqa: PTH122
    return base, suffix.lower()


def _alike(name: str) -> str:
    """Return the name in the form that servers compare: without letter case, and in one Unicode composition."""
    return unicodedata.normalize("NFC", name).casefold()
