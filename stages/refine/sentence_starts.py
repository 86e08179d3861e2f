"""Correct the beginnings of sentences: add a full stop that a recogniser left out, and a capital.

A capital shows that a sentence begins if the word cannot be a part of a name (`config/languages`, `sentence_openers`):
after `from Chicago`, `Also` begins a sentence, even without a mark.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence

from shared.text.sentence_end import CLOSERS, OPENERS, SHORTENED

_WORD = re.compile(r"[^\W\d_]+")
# Abbreviations, including some with which a sentence may end.
_SHORTENED = SHORTENED | {"no", "etc", "jr", "ave", "fig", "inc", "ltd", "vol", "approx"}
_CASED = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN")
_NO_CAPITALS = {"tr", "az", "nl", "ga", "ka"}  # languages in which the capital is another letter, or two letters
_LONG_OPENER = 4  # letters: after a word with a capital, a shorter one may belong to a name or title (`You And Me`)


def with_sentence_starts(
    lines: Sequence[str], language: str, openers: Collection[str], joining: Collection[str]
) -> list[str]:
    """Return the lines with a full stop before each sentence that lacks one, and with a capital at the beginning of
    each sentence. `language` is a primary subtag. `openers` and `joining` are words in lower case; no sentence ends
    after one of `joining`."""
    stopped = list(_with_stops(lines, openers, joining)) if openers else list(lines)
    return stopped if language in _NO_CAPITALS else list(_with_capitals(stopped))


def is_cased(letter: str) -> bool:
    """Tell whether a letter has a capital form of its own."""
    return unicodedata.name(letter, "").startswith(_CASED)


def _with_stops(lines: Sequence[str], openers: Collection[str], joining: Collection[str]) -> Iterator[str]:
    words = [line.split(" ") for line in lines]
    places = [(row, column) for row, line in enumerate(words) for column, word in enumerate(line) if word]
    texts = [words[row][column] for row, column in places]
    for index in range(1, len(texts)):
        following = texts[index + 1] if index + 1 < len(texts) else ""
        if _begins(texts[index], openers) and _may_end(texts[index - 1], texts[index], following, joining):
            row, column = places[index - 1]
            words[row][column] += "."
    for line in words:
        yield " ".join(line)


def _begins(word: str, openers: Collection[str]) -> bool:
    bare = word.strip(OPENERS + CLOSERS + ",").replace("’", "'")
    return bare[:1].isupper() and bare[1:] == bare[1:].lower() and bare.lower() in openers


def _may_end(before: str, opener: str, following: str, joining: Collection[str]) -> bool:
    """Tell whether a sentence may end after the word `before`: it has no mark, it is not a joining word, and the words
    around are not a title in capitals."""
    if not before[-1:].isalpha() or not is_cased(before[-1]) or before.lower().replace("’", "'") in joining:
        return False
    in_title = following[:1].isupper() and following.partition("'")[0].partition("’")[0].rstrip(",.") != "I"
    if in_title:
        return False
    named = before.lstrip(OPENERS)[:1].isupper()
    return not named or len(opener.strip(OPENERS + CLOSERS + ",")) >= _LONG_OPENER


def _with_capitals(lines: Sequence[str]) -> Iterator[str]:
    starts = True
    for line in lines:
        yield "".join(_sentences(line, starts))
        if line:
            starts = _ends_sentence(line.split(" ")[-1])


def _sentences(line: str, starts: bool) -> Iterator[str]:
    for number, word in enumerate(line.split(" ")):
        first = _WORD.search(word)
        # `iPhone` stays: a capital inside a word shows that its first letter is meant to be small.
        if starts and first and word == word.lower() and not any(map(str.isdigit, word[: first.start()])):
            at = first.start()
            word = word[:at] + _capital(word[at]) + word[at + 1 :]
        yield f" {word}" if number else word
        starts = _ends_sentence(word) if word else starts


def _ends_sentence(word: str) -> bool:
    """Tell whether a word with its mark ends a sentence; abbreviations, ordinals and ellipses do not."""
    bare = word.rstrip("\"'”’»)")
    if bare[-1:] not in {".", "!", "?"} or bare.endswith(".."):
        return False
    stem = bare.strip("\"'“‘«(.!?")
    short = len(stem) < 2 or stem.isdecimal() or "." in stem or stem in _SHORTENED
    return bare[-1] != "." or not short


def _capital(letter: str) -> str:
    return letter.upper() if is_cased(letter) and len(letter.upper()) == 1 else letter
