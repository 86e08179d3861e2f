"""Writes out small numbers, as style guides want them in running text.

Digits stay if a number is more than a count: next to another number, in a name or a title, as a time, with a unit, and
where a sentence begins or ends with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.text.sentence_end import ends_sentence
from stages.toolkit.cues.words import Piece

_SHORTEST_COUNTED = 3  # letters: `km`, `am` and `or` are shorter
_NEAR = 2  # words


def write_out(pieces: Sequence[Piece], words: Sequence[str]) -> list[Piece]:
    """Return the pieces, with numbers as words where the language has one; `words[n]` is the word for `n`, or empty."""
    if not words:
        return list(pieces)
    return [
        replace(piece, text=word) if (word := _word(pieces, index, words)) else piece
        for index, piece in enumerate(pieces)
    ]


def _word(pieces: Sequence[Piece], index: int, words: Sequence[str]) -> str | None:
    """Return the word for a number that counts what the next piece names."""
    text = pieces[index].text
    if not (text.isascii() and text.isdecimal() and len(text) <= 2 and int(text) < len(words)):
        return None
    if index == 0 or index + 1 == len(pieces) or str(int(text)) != text:
        return None
    before, after = pieces[index - 1].text, pieces[index + 1].text
    counts = after[:1].islower() and len(after) >= _SHORTEST_COUNTED
    if not counts or before[:1].isupper() or not before[-1:].isalpha() or ends_sentence(before):
        return None
    around = [*pieces[max(index - _NEAR, 0) : index], *pieces[index + 1 : index + 1 + _NEAR]]
    if any(character.isdecimal() for piece in around for character in piece.text):
        return None
    return words[int(text)] or None
