"""The marks that subtitles carry beside what is said: notes around a song, a hyphen before each of two speakers, and
brackets around sounds and names. Written by the layout, and taken off again where the words alone are wanted."""

from __future__ import annotations

import re
from collections.abc import Sequence

NOTE = "\u266a"
NOTES = "\u2669-\u266f"  # what others mark songs with: a range for a regular expression
DIALOGUE_MARK = "-"
_BRACKETED = re.compile(r"\[[^\[\]]*\]")
_NOTES = re.compile(f"[{NOTES}]")
_OPENED = re.compile(r"^\s*[-\u2010\u2013\u2014]\s*(?=[^\s\d])")  # not the sign of a number


def in_brackets(text: str) -> str:
    """Match a cue that names a sound or a speaker."""
    return f"[{text}]"


def with_notes(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the lines of a song's cue."""
    *before, last = lines
    first, *others = [*before, f"{last} {NOTE}"]
    return (f"{NOTE} {first}", *others)


def marks_of_lines(lines: Sequence[str]) -> list[str]:
    """Return what a cue's lines show beside words: brackets with their content, notes, and the marks of a dialogue."""
    text = "\n".join(lines)
    is_dialogue = len(lines) > 1 and all(line.lstrip().startswith(DIALOGUE_MARK) for line in lines)
    return [*_BRACKETED.findall(text), *_NOTES.findall(text), *([DIALOGUE_MARK] if is_dialogue else [])]


def words_of_lines(lines: Sequence[str]) -> str:
    """Return the words of a cue's lines without marks; an empty text for a sound label."""
    told = _NOTES.sub(" ", _BRACKETED.sub(" ", "\n".join(lines))).splitlines()
    dialogue = len(told) > 1 and all(line.lstrip().startswith(DIALOGUE_MARK) for line in told)
    return " ".join(line.lstrip()[1:] if dialogue else _OPENED.sub("", line) for line in told).strip()
