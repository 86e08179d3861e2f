"""Measure text: its width in places, the clusters that must not be cut, and scripts without spaces.

A place is the width of a Latin letter. An East Asian wide character takes two places (Unicode TR 11), a combining mark
or an invisible character none, every other character one, including spaces and punctuation; the break between two lines
is not counted. An emoji takes two, however many characters it is composed of (Unicode TS 51), and so does a Korean
syllable. Lines and reading speeds are measured in places, in every language, by the layout and by the check alike.
Guides for Japanese, Chinese and Korean count full-width characters, so their numbers are doubled here, and half-width
letters count half.

Clusters follow Unicode TR 29, by rules that the tables of the standard library can express. Where these are coarser
than the standard's, two characters are kept together rather than cut.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

_NO_PLACE = frozenset({"Mn", "Me", "Cf", "Cc"})
_JOINER = "\u200d"
# Vowels that belong to the consonant before them, although their category is that of letters.
_TRAILING_VOWELS = frozenset("\u0e33\u0eb3\uff9e\uff9f")
_SPACELESS = (("\u0e00", "\u0eff"), ("\u0f00", "\u0fff"), ("\u1000", "\u109f"), ("\u1780", "\u17ff"))
_PICTURE = "[\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]"
# What is joined to a picture, and the colour of its skin: parts of the picture before them.
_PICTURE_PARTS = re.compile(f"\u200d{_PICTURE}|(?<={_PICTURE})[\U0001f3fb-\U0001f3ff]")
# The characters that a variation selector turns into a picture (emoji-variation-sequences.txt), in ranges. After any
# other character, such as a space, it changes nothing.
_SHOWN_AS_PICTURE = re.compile(
    "([#*0-9\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\U0001f000-\U0001faff])\ufe0f"
)
_LINKER = 9  # the combining class of viramas: they bind two consonants to one shape


@lru_cache(maxsize=1 << 14)
def _places_of(character: str) -> int:
    if unicodedata.category(character) in _NO_PLACE or _ends_syllable(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def places(text: str) -> int:
    """Return how many places a text takes."""
    if text.isascii() and text.isprintable():
        return len(text)
    text = _PICTURE_PARTS.sub("", text)
    widened = sum(_places_of(character) == 1 for character in _SHOWN_AS_PICTURE.findall(text))
    return sum(map(_places_of, text)) + widened


def places_of_lines(lines: Sequence[str]) -> int:
    """Return how many places a cue takes in all, from which its reading time is computed."""
    return sum(map(places, lines))


def reading_ms(count: int, speed: float) -> int:
    """Return how long reading `count` places takes at `speed` places a second, in whole milliseconds rounded up."""
    return -int(-(count * 1000) // speed)


def clusters(text: str) -> list[str]:
    """Split the text into what readers perceive as single characters."""
    found: list[str] = []
    begin = 0
    for index in range(1, len(text)):
        if not _continues_cluster(text, index):
            found.append(text[begin:index])
            begin = index
    return [*found, text[begin:]] if text else []


def is_cluster_edge(text: str, index: int) -> bool:
    """Tell whether the text may be cut before the character at `index`."""
    return index <= 0 or index >= len(text) or not _continues_cluster(text, index)


@lru_cache(maxsize=1 << 14)
def is_spaceless(character: str) -> bool:
    """Tell whether the character's script has no spaces between words. Korean is wide, but has spaces."""
    if any(first <= character <= last for first, last in _SPACELESS):
        return True
    return unicodedata.east_asian_width(character) in {"W", "F"} and not _is_hangul(character)


def _is_hangul(character: str) -> bool:
    return "\uac00" <= character <= "\ud7a3" or "\u1100" <= character <= "\u11ff" or "\u3130" <= character <= "\u318f"


def _continues_cluster(text: str, index: int) -> bool:
    """Tell whether the character at `index` belongs to the cluster of the character before it."""
    before, character = text[index - 1], text[index]
    if before.isascii() and character.isascii():
        return before == "\r" and character == "\n"
    kind = unicodedata.category(character)
    if kind in {"Mn", "Mc", "Me"} or character in _TRAILING_VOWELS or _is_emoji_modifier(character):
        return True
    if kind == "Cf" or before == _JOINER or unicodedata.category(before) == "Cf":
        return True  # joiners and tags; a mark of direction goes with its text
    if unicodedata.combining(before) == _LINKER and kind == "Lo":
        return True
    if _is_flag_letter(character) and _is_flag_letter(before):
        first = index
        while first and _is_flag_letter(text[first - 1]):
            first -= 1
        return (index - first) % 2 == 1
    return _are_one_syllable(before, character)


def _is_emoji_modifier(character: str) -> bool:
    return "\U0001f3fb" <= character <= "\U0001f3ff"


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _are_one_syllable(before: str, character: str) -> bool:
    """Tell whether two conjoining letters of Hangul are in one syllable."""
    if "\u1100" <= before <= "\u115f" or "\ua960" <= before <= "\ua97c":
        return (
            "\u1100" <= character <= "\u11a7" or "\uac00" <= character <= "\ud7a3" or "\ua960" <= character <= "\ua97c"
        )
    if "\u1160" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7a3" or "\ud7b0" <= before <= "\ud7fb":
        return _ends_syllable(character)
    return False


def _ends_syllable(character: str) -> bool:
    """Tell whether the character is a conjoining vowel or final consonant of Hangul."""
    return "\u1160" <= character <= "\u11ff" or "\ud7b0" <= character <= "\ud7fb"
