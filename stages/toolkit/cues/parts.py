"""Takes a cue's lines apart: what is said, what is sung, and what only describes a sound or names a speaker.

Subtitles for deaf viewers write `[door slams]`, `(sighs)`, `JOHN: Hello` and notes around a song; broadcasters write
`>>` before a new speaker. Such marks are neither words that are heard nor text to translate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from shared.text.text_width import is_spaceless
from stages.toolkit.cues.marks import NOTES

PartKind = Literal["speech", "lyrics", "sound"]

_DASH = re.compile(r"^\s*[-\u2010-\u2015]\s*(?=[^\s\d]|\d+[^\s\d])")
_SOUND = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|（[^（）]*）|【[^【】]*】|(?<!\w)\*[^*\n]+\*(?!\w)")
_ANYWHERE = "[【*"  # in round brackets, speech has asides too: those count at the edges of what one person says
_NOTE = re.compile(f"[{NOTES}]+")
_HASHED = re.compile(r"^#\s+(.*\S)\s+#$", re.DOTALL)
_CHEVRONS = re.compile(r"\s*>>+\s*")
_NAME = re.compile(r"\s*([^\W\d_][^:\n\[\]]{0,38}?)\s*:(?=\s)\s*")


@dataclass(frozen=True)
class Part:
    """A part of a cue. `text` has no line ends; that of a sound keeps its brackets.

    `turn` counts the speakers of the cue, whose lines begin with a dash. `before` and `after` are marks around a text
    that is said or sung: the dash, the speaker's name, notes. `speaker` is the name without marks.
    """

    kind: PartKind
    text: str
    turn: int = 0
    before: str = ""
    after: str = ""
    speaker: str | None = None


def parts_of(lines: Sequence[str]) -> tuple[Part, ...]:
    """Return the parts of a cue in their order. All words of the cue are in one of them."""
    return tuple(part for number, turn in enumerate(_turns(lines)) for part in _parts_of_turn(turn, number))


def spoken_text(lines: Sequence[str]) -> str:
    """Return the words of a cue that are spoken; an empty text for sounds, songs and names alone."""
    return pasted(part.text for part in parts_of(lines) if part.kind == "speech")


def written(parts: Sequence[Part], texts: Sequence[str]) -> list[str]:
    """Return the text of each turn, with `texts` instead of what is said and sung."""
    given = iter(texts)
    turns = []
    for _, turn in groupby(parts, key=lambda part: part.turn):
        told = (one.text if one.kind == "sound" else f"{one.before}{next(given)}{one.after}" for one in turn)
        turns.append(pasted(text for text in told if text))
    return turns


def pasted(texts: Iterable[str]) -> str:
    """Join texts to one line, with a space between two wherever their scripts use spaces."""
    found = ""
    for text in texts:
        bare = found and text and not (is_spaceless(found[-1]) or is_spaceless(text[0]))
        found += f" {text}" if bare else text
    return found


def _turns(lines: Sequence[str]) -> list[str]:
    """Return what each speaker says, as one line: two or more lines with a dash are two or more speakers."""
    if sum(bool(_DASH.match(line)) for line in lines) < 2:
        return [pasted([line.strip() for line in lines])]
    turns: list[list[str]] = []
    for line in lines:
        if not turns or _DASH.match(line):
            turns.append([])
        turns[-1].append(line.strip())
    return [pasted(turn) for turn in turns]


def _parts_of_turn(turn: str, number: int) -> Iterator[Part]:
    before, speaker, rest = _opening(turn)
    hashed = _HASHED.match(rest)
    sung = bool(hashed or _NOTE.search(rest))
    at, pending = 0, before
    for found in [*_sounds(rest), None]:
        text = rest[at : found.start() if found else len(rest)].strip()
        if text:
            yield _said(text, number, pending, speaker, sung=sung)
            pending = ""
        if found is None:
            break
        # A name in front of a sound stands with it.
        yield Part("sound", pasted(filter(None, [pending.strip(), found[0]])), number, speaker=speaker)
        pending, at = "", found.end()
    if pending.strip():
        yield Part("sound", pending.strip(), number, speaker=speaker)


def _opening(turn: str) -> tuple[str, str | None, str]:
    """Return the marks that a turn begins with, the speaker whom they name, and the rest."""
    at = dash.end() if (dash := _DASH.match(turn)) else 0
    if chevrons := _CHEVRONS.match(turn, at):
        at = chevrons.end()
    name = _NAME.match(turn, at)
    if name is None or not name[1].isupper() or sum(map(str.isalpha, name[1])) < 2:
        return turn[:at], None, turn[at:]
    return turn[: name.end()], name[1].strip(), turn[name.end() :]


def _sounds(text: str) -> list[re.Match[str]]:
    """Return the descriptions in a text: brackets anywhere, round ones where a text begins or ends with them."""
    found = list(_SOUND.finditer(text))
    kept = []
    for match in found:
        outside = [text[: match.start()], text[match.end() :]]
        for other in found:
            if other is not match:
                outside = [part.replace(other[0], "") for part in outside]
        at_edge = any(not _NOTE.sub("", part).strip() for part in outside)
        if match[0][0] in _ANYWHERE or at_edge:
            kept.append(match)
    return kept


def _said(text: str, turn: int, before: str, speaker: str | None, *, sung: bool) -> Part:
    """Return a text that is said or sung, with its marks; a sound for notes without words."""
    if not sung:
        return Part("speech", text, turn, before, "", speaker)
    if hashed := _HASHED.match(text):
        return Part("lyrics", hashed[1], turn, f"{before}# ", " #", speaker)
    first = _NOTE.match(text)
    last = re.search(f"[{NOTES}]+$", text)
    words = pasted([piece.strip() for piece in _NOTE.split(text) if piece.strip()])
    if not words:
        return Part("sound", f"{before}{text}", turn, speaker=speaker)
    opened, closed = f"{first[0]} " if first else "", f" {last[0]}" if last and (not first or last.start()) else ""
    return Part("lyrics", words, turn, before + opened, closed, speaker)
