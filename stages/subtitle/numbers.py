"""Write out small numbers as words, as style guides want them in running text.

Digits stay if a number is not a plain count: next to another number, in a name or a title, as a time, with a unit, and
at the beginning or end of a sentence. Numbers that a speaker counts aloud (`1, 2, 3`) become words too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from shared.text.sentence_end import ends_sentence
from stages.toolkit.cues.words import Piece

_SHORTEST_COUNTED = 3  # letters of the word after a count: `km`, `am` and `or` are shorter
_NEAR = 2  # words on both sides that must not be numbers
_COUNTED_ALOUD = 3  # numbers in a row at least: two are a score or a choice
_MARKS = ",.!?…"


def write_out(pieces: Sequence[Piece], words: Sequence[str]) -> list[Piece]:
    """Return the pieces with numbers as words. `words[n]` is the word for `n`, or empty if the language has none."""
    if not words:
        return list(pieces)
    aloud = dict(_counted_aloud(pieces, words))
    return [
        replace(piece, text=word) if (word := aloud.get(index) or _word(pieces, index, words)) else piece
        for index, piece in enumerate(pieces)
    ]


def _counted_aloud(pieces: Sequence[Piece], words: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the places and words of numbers in a row that rise or fall by one, if the language has words for all of
    them. A word at the beginning of a sentence has a capital."""
    numbers = [_number(piece.text) for piece in pieces]
    begin = 0
    while begin < len(pieces):
        end = begin + 1
        while end < len(pieces) and _follows(numbers, begin, end):
            end += 1
        run = [number for number in numbers[begin:end] if number is not None]
        alone = not any(number is not None for number in [*numbers[max(begin - 1, 0) : begin], *numbers[end : end + 1]])
        if alone and len(run) >= _COUNTED_ALOUD and all(number < len(words) and words[number] for number in run):
            for index, number in enumerate(run, begin):
                starts = index == 0 or ends_sentence(pieces[index - 1].text)
                word = words[number][:1].upper() + words[number][1:] if starts else words[number]
                yield index, word + pieces[index].text.lstrip("0123456789")
        begin = end


def _number(text: str) -> int | None:
    """Return a piece as a number, without marks after it; None for other text and for `007`."""
    digits = text.rstrip(_MARKS)
    return int(digits) if digits.isascii() and digits.isdecimal() and str(int(digits)) == digits else None


def _follows(numbers: Sequence[int | None], begin: int, place: int) -> bool:
    """Tell whether the number at `place` is the next one in the count that begins at `begin`."""
    first, second, this, before = numbers[begin], numbers[begin + 1], numbers[place], numbers[place - 1]
    if first is None or second is None or this is None or before is None:
        return False
    return abs(second - first) == 1 and this - before == second - first


def _word(pieces: Sequence[Piece], index: int, words: Sequence[str]) -> str | None:
    """Return the word for a number that counts the noun after it; None for other pieces."""
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
