"""Divide the lines of a cue into spoken text, sung text, and descriptions of sounds and names of speakers.

Subtitles for deaf viewers have `[door slams]`, `(sighs)`, `JOHN: Hello` and notes around a song; broadcasters write
`>>` before a new speaker. Such marks are neither spoken words nor text to translate.
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
_ANYWHERE = "[【*"  # round brackets also hold asides, so they are a sound only at the beginning or end of a turn
_NOTE = re.compile(f"[{NOTES}]+")
_HASHED = re.compile(r"^#\s+(.*\S)\s+#$", re.DOTALL)
_CHEVRONS = re.compile(r"\s*>>+\s*")
_NAME = re.compile(r"\s*([^\W\d_][^:\n\[\]]{0,38}?)\s*:(?=\s)\s*")


@dataclass(frozen=True)
class Part:
    """A part of a cue. `text` has no line ends; that of a sound keeps its brackets.

    `turn` is the number of the speaker in the cue, whose lines begin with a dash. `before` and `after` are the marks
    around a spoken or sung text: the dash, the speaker's name, notes. `speaker` is the name without marks.
    """

    kind: PartKind
    text: str
    turn: int = 0
    before: str = ""
    after: str = ""
    speaker: str | None = None


def parts_of(lines: Sequence[str]) -> tuple[Part, ...]:
    """Return the parts of a cue in order. Together they have all its words."""
    return tuple(part for number, turn in enumerate(_turns(lines)) for part in _parts_of_turn(turn, number))


def spoken_text(lines: Sequence[str]) -> str:
    """Return the spoken words of a cue; an empty text if it has only sounds, songs and names."""
    return join_texts(part.text for part in parts_of(lines) if part.kind == "speech")


def turns_with_texts(parts: Sequence[Part], texts: Sequence[str]) -> list[str]:
    """Return the text of each turn, with `texts` in place of the spoken and sung parts."""
    new_texts = iter(texts)
    turns = []
    for _, turn in groupby(parts, key=lambda part: part.turn):
        pieces = (part.text if part.kind == "sound" else f"{part.before}{next(new_texts)}{part.after}" for part in turn)
        turns.append(join_texts(text for text in pieces if text))
    return turns


def join_texts(texts: Iterable[str]) -> str:
    """Return the texts as one line, with a space between two if their scripts use spaces."""
    joined = ""
    for text in texts:
        needs_space = joined and text and not (is_spaceless(joined[-1]) or is_spaceless(text[0]))
        joined += f" {text}" if needs_space else text
    return joined


def _turns(lines: Sequence[str]) -> list[str]:
    """Return the text of each speaker as one line. Two or more lines with a dash are those of several speakers."""
    if sum(bool(_DASH.match(line)) for line in lines) < 2:
        return [join_texts([line.strip() for line in lines])]
    turns: list[list[str]] = []
    for line in lines:
        if not turns or _DASH.match(line):
            turns.append([])
        turns[-1].append(line.strip())
    return [join_texts(turn) for turn in turns]


def _parts_of_turn(turn: str, number: int) -> Iterator[Part]:
    before, speaker, rest = _opening(turn)
    hashed = _HASHED.match(rest)
    sung = bool(hashed or _NOTE.search(rest))
    at, pending = 0, before
    for found in [*_sounds(rest), None]:
        text = rest[at : found.start() if found else len(rest)].strip()
        if text:
            yield _text_part(text, number, pending, speaker, sung=sung)
            pending = ""
        if found is None:
            break
        # A name before a sound is a part of it.
        yield Part("sound", join_texts(filter(None, [pending.strip(), found[0]])), number, speaker=speaker)
        pending, at = "", found.end()
    if pending.strip():
        yield Part("sound", pending.strip(), number, speaker=speaker)


def _opening(turn: str) -> tuple[str, str | None, str]:
    """Return the marks at the beginning of a turn, the speaker whom they name, and the rest."""
    at = dash.end() if (dash := _DASH.match(turn)) else 0
    if chevrons := _CHEVRONS.match(turn, at):
        at = chevrons.end()
    name = _NAME.match(turn, at)
    if name is None or not name[1].isupper() or sum(map(str.isalpha, name[1])) < 2:
        return turn[:at], None, turn[at:]
    return turn[: name.end()], name[1].strip(), turn[name.end() :]


def _sounds(text: str) -> list[re.Match[str]]:
    """Return the descriptions of sounds: in square brackets or asterisks anywhere, in round brackets only at the
    beginning or end of the text."""
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


def _text_part(text: str, turn: int, before: str, speaker: str | None, *, sung: bool) -> Part:
    """Return a spoken or sung text with its marks; a sound if it has only notes."""
    if not sung:
        return Part("speech", text, turn, before, "", speaker)
    if hashed := _HASHED.match(text):
        return Part("lyrics", hashed[1], turn, f"{before}# ", " #", speaker)
    first = _NOTE.match(text)
    last = re.search(f"[{NOTES}]+$", text)
    words = join_texts([piece.strip() for piece in _NOTE.split(text) if piece.strip()])
    if not words:
        return Part("sound", f"{before}{text}", turn, speaker=speaker)
    opened, closed = f"{first[0]} " if first else "", f" {last[0]}" if last and (not first or last.start()) else ""
    return Part("lyrics", words, turn, before + opened, closed, speaker)
