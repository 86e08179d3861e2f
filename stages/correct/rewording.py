"""Gives the lines of a cue the words of a later correction, and leaves their marks and breaks where they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from stages.toolkit.cues.marks import DIALOGUE_MARK, said_in
from stages.toolkit.text.word_times import bare

_WORD_OR_SOUND = re.compile(r"\[[^\[\]]*\]|\S+")


def reworded(lines: Sequence[str], words: Sequence[str]) -> tuple[str, ...]:
    """Return the lines with other words: each stands where the one that it replaces stood, a new one behind its
    neighbour. The same words in other parts, as in scripts without spaces, change nothing."""
    if "".join(said_in(lines).split()) == "".join(words):
        return tuple(lines)
    parts = [(number, part) for number, line in enumerate(lines) for part in _WORD_OR_SOUND.findall(line)]
    said = [place for place, (_, part) in enumerate(parts) if bare(part).isalnum() and not part.startswith("[")]
    if not said:
        return tuple(lines)
    written = [[part] for _, part in parts]
    heard = [bare(parts[place][1]) for place in said]
    matcher = SequenceMatcher(None, heard, [bare(word) for word in words], autojunk=False)
    first: Sequence[str] = ()  # in front of all that stood there
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind == "equal":
            for place, word in zip(said[i1:i2], words[j1:j2], strict=True):
                written[place] = [_with_mark(parts[place][1], word)]
            continue
        for place in said[i1:i2]:
            written[place] = []
        if i1 < i2:
            written[said[i1]] = list(words[j1:j2])
        elif i1:
            written[said[i1 - 1]] += words[j1:j2]
        else:
            first = words[j1:j2]
    written[said[0]] = [*first, *written[said[0]]]
    made = (
        " ".join(word for (line, _), some in zip(parts, written, strict=True) if line == number for word in some)
        for number in range(len(lines))
    )
    return tuple(line for line in made if line)


def _with_mark(before: str, word: str) -> str:
    """Return the word with the mark of a dialogue that stood in front of it."""
    is_marked = before.startswith(DIALOGUE_MARK) and not word.startswith(DIALOGUE_MARK)
    return DIALOGUE_MARK + word if is_marked else word
