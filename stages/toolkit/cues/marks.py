"""Add and remove the marks of subtitles: notes around a song, a hyphen before each of two speakers, brackets around
sounds and names."""

from __future__ import annotations

import re
from collections.abc import Sequence

NOTE = "\u266a"
NOTES = "\u2669-\u266f"  # the signs that mark songs elsewhere: a range for a regular expression
DIALOGUE_MARK = "-"
_BRACKETED = re.compile(r"\[[^\[\]]*\]")
_NOTES = re.compile(f"[{NOTES}]")
_OPENED = re.compile(r"^\s*[-\u2010\u2013\u2014]\s*(?=[^\s\d])")  # not the sign of a number


def in_brackets(text: str) -> str:
    """Return the text of a cue that names a sound or a speaker."""
    return f"[{text}]"


def with_notes(lines: Sequence[str]) -> tuple[str, ...]:
    """Return lines with a note at their beginning and one at their end."""
    *before, last = lines
    first, *others = [*before, f"{last} {NOTE}"]
    return (f"{NOTE} {first}", *others)


def marks_of_lines(lines: Sequence[str]) -> list[str]:
    """Return all marks of a cue's lines: brackets with their content, notes, and the mark of a dialogue."""
    text = "\n".join(lines)
    is_dialogue = len(lines) > 1 and all(line.lstrip().startswith(DIALOGUE_MARK) for line in lines)
    return [*_BRACKETED.findall(text), *_NOTES.findall(text), *([DIALOGUE_MARK] if is_dialogue else [])]


def words_of_lines(lines: Sequence[str]) -> str:
    """Return the words of a cue's lines without marks; an empty text for a sound's label."""
    bare = _NOTES.sub(" ", _BRACKETED.sub(" ", "\n".join(lines))).splitlines()
    dialogue = len(bare) > 1 and all(line.lstrip().startswith(DIALOGUE_MARK) for line in bare)
    return " ".join(line.lstrip()[1:] if dialogue else _OPENED.sub("", line) for line in bare).strip()
