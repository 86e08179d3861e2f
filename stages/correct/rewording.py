"""Put other words into the lines of a cue, and leave its marks and line breaks where they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from stages.toolkit.cues.marks import DIALOGUE_MARK, words_of_lines
from stages.toolkit.text.word_times import bare

_WORD_OR_SOUND = re.compile(r"\[[^\[\]]*\]|\S+")


def reword(lines: Sequence[str], words: Sequence[str]) -> tuple[str, ...]:
    """Return the lines with other words. A word takes the place of the one that it replaces; a new one follows the word
    before it. Words that differ only in how they are divided, as in scripts without spaces, change nothing."""
    if "".join(words_of_lines(lines).split()) == "".join(words):
        return tuple(lines)
    parts = [(number, part) for number, line in enumerate(lines) for part in _WORD_OR_SOUND.findall(line)]
    spoken = [place for place, (_, part) in enumerate(parts) if bare(part).isalnum() and not part.startswith("[")]
    if not spoken:
        return tuple(lines)
    new_parts = [[part] for _, part in parts]
    old_words = [bare(parts[place][1]) for place in spoken]
    matcher = SequenceMatcher(None, old_words, [bare(word) for word in words], autojunk=False)
    opening: Sequence[str] = ()  # new words before all old ones
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind == "equal":
            for place, word in zip(spoken[i1:i2], words[j1:j2], strict=True):
                new_parts[place] = [_with_mark(parts[place][1], word)]
            continue
        for place in spoken[i1:i2]:
            new_parts[place] = []
        if i1 < i2:
            new_parts[spoken[i1]] = list(words[j1:j2])
        elif i1:
            new_parts[spoken[i1 - 1]] += words[j1:j2]
        else:
            opening = words[j1:j2]
    new_parts[spoken[0]] = [*opening, *new_parts[spoken[0]]]
    new_lines = (
        " ".join(word for (line, _), some in zip(parts, new_parts, strict=True) if line == number for word in some)
        for number in range(len(lines))
    )
    return tuple(line for line in new_lines if line)


def _with_mark(before: str, word: str) -> str:
    """Return the word with the dialogue mark that the word before the change had."""
    is_marked = before.startswith(DIALOGUE_MARK) and not word.startswith(DIALOGUE_MARK)
    return DIALOGUE_MARK + word if is_marked else word
