"""Decide the base direction of a text by its language and its letters.

In a text of both directions, the base direction decides on which side a line begins, where its punctuation goes, and
the order of its parts. If a format leaves it to the player, the player takes that of the first letter (UAX #9, rules P2
and P3), which is wrong for an Arabic sentence that begins with a Latin name. So this module decides it for a whole cue.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Literal

from shared.text.language import UNDETERMINED, primary

Direction = Literal["ltr", "rtl"]
RIGHT_MARK, LEFT_MARK = "\u200f", "\u200e"
MARKS = RIGHT_MARK + LEFT_MARK
_MARK: dict[Direction, str] = {"rtl": RIGHT_MARK, "ltr": LEFT_MARK}
_STRONG: dict[str, Direction] = {"L": "ltr", "R": "rtl", "AL": "rtl"}
_ISOLATES, _ISOLATE_ENDS = frozenset({"LRI", "RLI", "FSI"}), "PDI"
# Written from right to left unless the tag names another script (CLDR's likely subtags).
_LANGUAGES = frozenset({
    "ar", "aao", "abh", "abv", "acm", "acq", "acw", "acx", "acy", "adf", "aeb", "aec", "afb", "ajp", "apc", "apd",
    "ars", "ary", "arz", "ayh", "ayl", "ayn", "ayp", "pga", "shu", "ssh",  # kinds of Arabic
    "he", "iw", "yi", "ji", "lad", "jpr", "fa", "prs", "pes", "haz", "ur", "ug", "sd", "ps", "pbt", "pst", "pbu",
    "dv", "ckb", "sdh", "lki", "ks", "lah", "pnb", "skr", "bal", "bcc", "bgn", "bgp", "brh", "bqi", "glk", "khw", "lrc",
    "luz",
    "mzn", "azb", "swb", "uzs", "nqo", "rhg", "syr", "aii", "arc", "cld", "tru", "tmr", "sam", "mid", "myz",
})  # fmt: skip
_SCRIPTS = frozenset({
    "arab", "aran", "hebr", "thaa", "syrc", "syre", "syrj", "syrn", "nkoo", "adlm", "rohg", "samr", "mand", "mend",
    "armi", "phnx",
})  # fmt: skip


def direction_of_language(tag: str) -> Direction:
    """Return the direction in which a language (BCP-47) is written. A script in its tag prevails over the language."""
    scripts = [part for part in tag.split("-")[1:] if len(part) == 4 and part.isalpha()]
    if scripts:
        return "rtl" if scripts[0].casefold() in _SCRIPTS else "ltr"
    return "rtl" if primary(tag) in _LANGUAGES else "ltr"


def first_strong(text: str) -> Direction | None:
    """Return the direction of the first letter that has one, outside of isolates, as in UAX #9; None without one."""
    return next(_strong(text), None)


def base_direction(lines: Sequence[str], language: str) -> Direction:
    """Return the direction of a cue: that of its letters if all have the same, else that of its language."""
    if all(map(str.isascii, lines)) and any(map(str.isalpha, "".join(lines))):
        return "ltr"
    found = [direction for line in lines for direction in _strong(line)]
    if len(set(found)) == 1 or (found and primary(language) == UNDETERMINED):
        return found[0]
    return direction_of_language(language)


def with_mark(line: str, direction: Direction) -> str:
    """Return the line with a mark in front where a reader that looks at its first letter would take another
    direction."""
    return line if (first_strong(line) or "ltr") == direction else _MARK[direction] + line


def _strong(text: str) -> Iterator[Direction]:
    depth = 0
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in _ISOLATES:
            depth += 1
        elif kind == _ISOLATE_ENDS:
            depth = max(depth - 1, 0)
        elif not depth and kind in _STRONG:
            yield _STRONG[kind]
