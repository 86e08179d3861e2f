"""Decode a subtitle file in any encoding: Unicode by its marks, older encodings by the language and the bytes.

Before UTF-8, each script had its own encoding, and a file does not state which. In a Latin text, bytes above 127 are
rare accents; in another script, they are nearly all letters. That distinguishes Latin texts from others. Among the
other encodings, a wrong one cannot decode the bytes, or gives capitals inside words.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from itertools import pairwise

from shared.text.language import primary

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
_LATIN, _MAC = "cp1252", "mac-roman"  # the first decodes all bytes except five
_NAMES = {
    "cp1250": "Windows-1250", "cp1251": "Windows-1251", "cp1252": "Windows-1252", "cp1253": "Windows-1253",
    "cp1254": "Windows-1254", "cp1255": "Windows-1255", "cp1256": "Windows-1256", "cp1257": "Windows-1257",
    "cp1258": "Windows-1258", "cp874": "Windows-874", "gb18030": "GB 18030", "big5": "Big5", "cp932": "Shift JIS",
    "cp949": "Windows-949", "koi8-r": "KOI8-R", "mac-roman": "Mac OS Roman",
}  # fmt: skip
_BY_LANGUAGE = {
    "cp1250": "bs cs hr hu pl ro sk sl sq", "cp1251": "be bg kk mk mn ru sr tt uk", "cp1253": "el", "cp1254": "az tr",
    "cp1255": "he yi", "cp1256": "ar fa ps ur", "cp1257": "et lt lv", "cp1258": "vi", "cp874": "th", "gb18030": "zh",
    "cp932": "ja", "cp949": "ko",
}  # fmt: skip
_USUAL = {tag: codec for codec, tags in _BY_LANGUAGE.items() for tag in tags.split()}
_OTHERS = ("cp932", "cp949", "gb18030", "big5", "cp1251", "koi8-r", "cp1256", "cp1253", "cp1255", "cp874")
_ONE_CASE = 0.2  # oddness of a text whose letters all have the same case
_HIGH = re.compile(rb"[\x80-\xff]")
_WORD = re.compile(r"[^\W\d_]+")
_MARKS = frozenset("\u2013\u2014\u2018\u2019\u201c\u201d\u2026\u00ab\u00bb\u060c\u061f\u3001\u3002\uff01\uff1f\uff0c")


def decoded(data: bytes, language: str | None, repairs: list[str], without_zeros: Callable[[bytes], str]) -> str:
    """Return the text of a file, and add to `repairs` what is unusual about its encoding. `without_zeros` decodes a
    file with zero bytes and without a mark."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            if encoding != "utf-8":
                repairs.append(f"the file is {encoding[:6].upper()}; many players expect UTF-8")
            return data[len(bom) :].decode(encoding, errors="replace")
    if b"\0" in data:
        return without_zeros(data)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        codec = _guessed(data, language)
        repairs.append(f"the file is not UTF-8 (byte {error.start}); it is read as {_NAMES[codec]}")
        return data.decode(codec, errors="replace")


def _guessed(data: bytes, language: str | None) -> str:
    """Return the most likely encoding: the usual one of the language, or the one in which the text is least odd."""
    usual = _USUAL.get(primary(language)) if language else None
    if language and (usual is None or _oddness(data, usual) is not None):
        return usual or _latin(data)
    high = len(_HIGH.findall(data))
    letters = high + sum(map(len, re.findall(rb"[A-Za-z]+", data)))
    if high * 2 < letters:
        return _latin(data)
    odd = {codec: oddness for codec in _OTHERS if (oddness := _oddness(data, codec)) is not None}
    return min(odd, key=lambda codec: odd[codec]) if odd else _LATIN


def _latin(data: bytes) -> str:
    """Return Mac OS Roman if Windows-1252 cannot decode the bytes, as those of `è` and `ê`, and that gives words; else
    Windows-1252."""
    try:
        data.decode(_LATIN)
    except UnicodeDecodeError:
        words = _WORD.findall(data.decode(_MAC))
        if not any(low.islower() and high.isupper() for word in words for low, high in pairwise(word)):
            return _MAC
    return _LATIN


def _oddness(data: bytes, codec: str) -> float | None:
    """Return how unlike words a text is in this encoding, from 0; None if the encoding cannot decode it."""
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        return None
    high = [letter for letter in text if not letter.isascii()]
    # Characters that are not letters are rare in a text; vowel marks count as letters.
    others = sum(not (letter.isalpha() or letter.isspace() or _is_mark(letter)) for letter in high)
    turns = sum(low.islower() and high.isupper() for word in _WORD.findall(text) for low, high in pairwise(word))
    rare = sum(not _is_usual(letter) for letter in high)
    # Hebrew in the encoding of another script has only small letters, or only capitals.
    cases = {letter.isupper() for letter in high if letter.lower() != letter.upper()}
    return float((others + 2 * turns + rare) / max(len(high), 1) + _ONE_CASE * (len(cases) == 1))


def _is_mark(letter: str) -> bool:
    return "\u0e30" <= letter <= "\u0e5b" or letter in _MARKS


def _is_usual(letter: str) -> bool:
    """Tell whether a character is in the part of its script that everyday texts use."""
    return (
        letter.isspace()
        or _is_mark(letter)
        or "\u0400" <= letter <= "\u045f"
        or "\u0621" <= letter <= "\u0652"
        or "\u0384" <= letter <= "\u03ce"
        or "\u05d0" <= letter <= "\u05ea"
        or "\u0e01" <= letter <= "\u0e5b"
        or "\u3041" <= letter <= "\u30ff"
        or "\u4e00" <= letter <= "\u9fff"
        or "\uac00" <= letter <= "\ud7a3"
    )
