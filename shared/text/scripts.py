"""The scripts that languages are written in, by the names of Unicode."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

from shared.text.language import primary

_LATIN = """
    af az bs br ca cs cy da de en es et eu fi fo fr gl ha haw hr ht hu id is it jv la lb ln lt lv mg mi ms mt nl nn no
    oc pl pt ro sk sl sn so sq su sv sw tk tl tr vi yo
"""
_OTHERS = {
    "ARABIC": "ar fa ur ps sd",
    "ARMENIAN": "hy",
    "BENGALI": "as bn",
    "CJK": "ja yue zh",
    "CYRILLIC": "ba be bg kk mk mn ru tg tt uk",
    "DEVANAGARI": "hi mr ne sa",
    "ETHIOPIC": "am",
    "GEORGIAN": "ka",
    "GREEK": "el",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "HANGUL": "ko",
    "HEBREW": "he yi",
    "KANNADA": "kn",
    "KHMER": "km",
    "LAO": "lo",
    "MALAYALAM": "ml",
    "MYANMAR": "my",
    "SINHALA": "si",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
    "TIBETAN": "bo",
}
_BY_LANGUAGE = {tag: script for script, tags in {"LATIN": _LATIN, **_OTHERS}.items() for tag in tags.split()}
_BY_SUBTAG = {
    "Arab": "ARABIC", "Armn": "ARMENIAN", "Beng": "BENGALI", "Cyrl": "CYRILLIC", "Deva": "DEVANAGARI",
    "Ethi": "ETHIOPIC", "Geor": "GEORGIAN", "Grek": "GREEK", "Gujr": "GUJARATI", "Guru": "GURMUKHI", "Hang": "HANGUL",
    "Hans": "CJK", "Hant": "CJK", "Hebr": "HEBREW", "Jpan": "CJK", "Khmr": "KHMER", "Knda": "KANNADA",
    "Kore": "HANGUL", "Laoo": "LAO", "Latn": "LATIN", "Mlym": "MALAYALAM", "Mymr": "MYANMAR", "Sinh": "SINHALA",
    "Taml": "TAMIL", "Telu": "TELUGU", "Thai": "THAI", "Tibt": "TIBETAN",
}  # fmt: skip
_TRADITIONAL = {"Hant", "TW", "HK", "MO"}
_VARIETIES = {"Hans", "Hant"}  # of one script of Unicode: which of them is meant is always said
_FEW_LETTERS = 4  # of fewer, a name or a sign, nothing follows


def script_of_language(tag: str) -> str | None:
    """Return the script of a language (BCP-47); None where it has several, or is not known."""
    for subtag in tag.split("-")[1:]:
        if len(subtag) == 4:
            return _BY_SUBTAG.get(subtag)
    return _BY_LANGUAGE.get(primary(tag))


def is_usual_script(language: str, subtag: str) -> bool:
    """Tell whether a subtag names the script in which the language is written anyway."""
    usual = _BY_LANGUAGE.get(language)
    return subtag not in _VARIETIES and usual is not None and _BY_SUBTAG.get(subtag) == usual


@lru_cache(maxsize=1 << 14)
def script_of(character: str) -> str:
    """Return the script of a letter: the first word of its Unicode name. Those that stand side by side in Japanese are
    one."""
    name = unicodedata.name(character, "UNKNOWN").partition(" ")[0]
    return "CJK" if name in {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"} else name


def scripts(text: str) -> Iterable[str]:
    """Yield the script of each letter."""
    return (script_of(character) for character in text if character.isalpha())


def other_script(texts: Iterable[str], tag: str) -> tuple[str, float] | None:
    """Return the script of most of the letters and its share, if the language is not written in it."""
    expected = script_of_language(tag)
    counts = Counter(script for text in texts for script in scripts(text))
    if expected is None or counts.total() < _FEW_LETTERS:
        return None
    found, count = counts.most_common(1)[0]
    return (found, count / counts.total()) if found != expected else None


def script_not_written(texts: Sequence[str], source: str, target: str) -> str | None:
    """Return the script that the tag `target` names and texts in `source`, another variety of the same language, are
    not written in; None if they are, or if it names none. Chinese without a script counts as simplified."""
    script = next((subtag for subtag in target.split("-")[1:] if len(subtag) == 4), None)
    if script in _VARIETIES:
        has_traditional = not _TRADITIONAL.isdisjoint(source.split("-"))
        return script if texts and has_traditional != (script == "Hant") else None
    return script if script and other_script(texts, target) else None
