"""Compute the cost of a line or cue break at each place of a text, from punctuation and from joining words.

Without joining words for a language in `config/languages`, only punctuation and pauses count. A break costs from 0,
at the end of a sentence, to 16, between an article and its noun. A place of which no list says anything costs 8.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from shared.text.joining_words import JoiningWords
from shared.text.sentence_end import CLOSERS, OPENERS, ends_sentence
from shared.text.text_width import is_spaceless
from stages.toolkit.cues.words import CLAUSE_ENDS, Piece

SENTENCE, CLAUSE, CONJUNCTION, PREPOSITION, UNKNOWN, LOOSE, NAME, BOUND = 0.0, 2.0, 3.5, 4.5, 8.0, 12.0, 12.0, 16.0
_FORCED = 40.0  # inside a word: where it is wider than a line, and in Thai where nothing shows that another begins
_PARTICLE, _IN_WORD, _IN_SYLLABLE = 4.0, 12.0, 14.0  # in scripts without spaces
_PAUSE_MS = 300  # the shortest pause at which a cue break costs less


@dataclass(frozen=True)
class _Sets:
    """The joining words of a language as sets. `binding` holds the prepositions too: they belong to the word after
    them."""

    conjunctions: frozenset[str]
    prepositions: frozenset[str]
    binding: frozenset[str]
    leaning: frozenset[str]
    capitals_are_names: bool


@dataclass(frozen=True)
class Breaks:
    """For the place before each piece: the cost of a line break, the cost of a cue break, whether a sentence ends
    there, and the length of the pause. Breaks are free before the first and after the last piece."""

    line: list[float]
    cue: list[float]
    sentence: list[bool]
    pause_ms: list[int]


def breaks_of(pieces: Sequence[Piece], joining: JoiningWords) -> Breaks:
    """Return the cost of a break before each piece."""
    words = _sets(joining)
    count = len(pieces)
    found = Breaks([0.0] * (count + 1), [0.0] * (count + 1), [True] * (count + 1), [0] * (count + 1))
    for index in range(1, count):
        before, after = pieces[index - 1], pieces[index]
        cost = _cost(before.text, after, words, at_start=found.sentence[index - 1])
        pause = max(after.start_ms - before.end_ms, 0)
        found.line[index] = cost
        found.sentence[index] = cost == SENTENCE
        found.pause_ms[index] = pause
        # A speaker may hesitate between an article and its noun, but a viewer still reads them together.
        at_pause = min(cost, max(1.0, 5.0 - pause / 400)) if pause >= _PAUSE_MS and cost < BOUND else cost
        found.cue[index] = 0.0 if before.speaker != after.speaker else at_pause
    return found


@lru_cache(maxsize=64)
def _sets(joining: JoiningWords) -> _Sets:
    return _Sets(
        frozenset(joining.conjunctions), frozenset(joining.prepositions),
        frozenset((*joining.binding, *joining.prepositions)), frozenset(joining.leaning), joining.capitals_are_names,
    )  # fmt: skip


def _cost(before: str, after: Piece, words: _Sets, *, at_start: bool) -> float:
    bare = before.rstrip(CLOSERS)
    mark = bare[-1:]
    last, first = _bare(before), _bare(after.text)
    if ends_sentence(before):
        return SENTENCE
    if (mark and mark in CLAUSE_ENDS) or after.text[:1] in {"–", "—"}:
        return CLAUSE
    if after.joined:
        return _inside(before[-1], after.text[0])
    if is_spaceless(before[-1]) and is_spaceless(after.text[0]):
        return CLAUSE  # where no space parts words, one parts phrases: Thai has no comma
    if first in words.leaning or last in words.binding:
        return BOUND
    if first in words.conjunctions:
        return CONJUNCTION
    if first in words.prepositions:
        return PREPOSITION
    if last in words.conjunctions or (last[-1:].isdecimal() and after.text[:1].isalpha()):
        return LOOSE
    if words.capitals_are_names and not at_start and _is_capital(before) and _is_capital(after.text):
        return NAME
    return UNKNOWN


@lru_cache(maxsize=1 << 14)
def _bare(text: str) -> str:
    """Return a word in the form that the lists have: in lower case, without marks."""
    return text.strip(CLOSERS + OPENERS + ".,;:!?…").lower().replace("’", "'")


def _is_capital(text: str) -> bool:
    letter = text.lstrip(OPENERS)[:1]
    return letter.isupper() and len(text) > 1


@lru_cache(maxsize=1 << 14)
def _inside(last: str, first: str) -> float:
    """Return the cost of a break without a space. In Japanese, a change of script shows most ends of words."""
    if not (is_spaceless(last) or is_spaceless(first)):
        return _FORCED
    if "\u0e00" <= first <= "\u0eff":
        return UNKNOWN if first in "เแโใไເແໂໃໄ" else _FORCED
    kinds = _kind(last), _kind(first)
    if kinds[0] == "HIRAGANA":
        return _IN_WORD if kinds[1] == "HIRAGANA" else _PARTICLE
    if kinds == ("KATAKANA", "KATAKANA"):
        return _IN_SYLLABLE
    return _IN_WORD if kinds[1] == "HIRAGANA" or kinds == ("CJK", "CJK") else UNKNOWN


def _kind(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0]
