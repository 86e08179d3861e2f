"""Facts in the names of subtitle files, as media servers and people write them: language, forced, for deaf viewers.

Film (2020).en.srt   Film (2020).eng.forced.ass   Film (2020).English.sdh.vtt   Film (2020).pt-BR.hi.srt
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from shared.documents.cue import Kind
from shared.text.language import language_named

# Subtitles that are text. Pictures (`.sup`, `.sub` beside `.idx`) cannot be searched, restyled or translated.
TEXT_SUFFIXES = frozenset(
    {
        ".ass", ".dfxp", ".itt", ".mpl", ".sami", ".sbv", ".scc", ".smi", ".srt", ".ssa", ".sub", ".ttml", ".usf",
        ".vtt",
    }
)  # fmt: skip
FORCED = frozenset({"forced", "foreign"})
HEARING_IMPAIRED = frozenset({"sdh", "cc", "hi"})
FLAGS = FORCED | HEARING_IMPAIRED | {"default", "full"}
WORDS = re.compile(r"[^._ \-()\[\]]+")


@dataclass(frozen=True)
class NameFacts:
    """Facts that a name states: the language if it names one, and what the subtitle holds."""

    language: str | None = None
    kind: Kind = "full"


def is_subtitle(file_name: str) -> bool:
    """Tell whether a file is a text subtitle by its suffix."""
    return os.path.splitext(file_name)[1].lower() in TEXT_SUFFIXES  # noqa: PTH122


def facts_of(words: Sequence[str]) -> NameFacts:
    """Return what the words of a name mean. `hi` alone is Hindi; beside another language it means "hearing
    impaired"."""
    small = [word.lower() for word in words]
    named = [word for word in small if language_named(word)]
    others = [word for word in named if word not in FLAGS]
    language = language_named((others or named)[-1]) if named else None
    flags = {word for word in small if word in FLAGS and (word != "hi" or others)}
    kind: Kind = "forced" if flags & FORCED else "sdh" if flags & HEARING_IMPAIRED else "full"
    return NameFacts(language, kind)


def says_something(word: str) -> bool:
    """Tell whether a word of a name is a language or a flag."""
    return word.lower() in FLAGS or language_named(word) is not None


def parts_of_name(rest: str) -> list[str]:
    """Split the end of a name into words: at dots (`pt-br` stays one word), and a part that is not known, at every
    other separator."""
    found: list[str] = []
    for part in filter(None, rest.split(".")):
        found += [part] if says_something(part) else WORDS.findall(part)
    return found


def split_name(file_name: str) -> tuple[str, NameFacts]:
    """Return the name of what a subtitle file belongs to, and the facts behind it: `film.pt-BR.sdh.srt` belongs to
    `film`."""
    stem = os.path.splitext(file_name)[0]  # noqa: PTH122
    parts = stem.split(".")
    last = len(parts)
    while last > 1 and parts[last - 1] and says_something(parts[last - 1]) and parts[last - 2]:
        last -= 1
    return ".".join(parts[:last]), facts_of(parts[last:])
