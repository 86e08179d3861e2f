"""Identify the language of a text by its script and its function words.

Many scripts belong to a single language. Among languages that share a script, function words decide: they make up a
quarter to a half of the words of speech (Grefenstette 1995, "Comparing two language identification schemes"), and few
of them occur in two languages. If two languages come close, or few words are known, the answer is None: a wrong
language costs more than a question.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from shared.text.scripts import script_of_language, scripts

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_KANA = re.compile("[\u3041-\u30ff]")
_LEAST_LETTERS = 20
_MOST_WORDS = 20_000
# Of 15 languages, running speech has 20 to 45 % of its words in its own table, and up to 12 % in that of another one.
_LEAST_SHARE = 0.15
_LEAST_LEAD = 1.4  # the least ratio of the shares of the first and the second language
# Scripts that only one language of the world's subtitles uses.
_ALONE = {
    "ARMENIAN": "hy", "GEORGIAN": "ka", "GREEK": "el", "GUJARATI": "gu", "GURMUKHI": "pa", "HANGUL": "ko",
    "HEBREW": "he", "KANNADA": "kn", "KHMER": "km", "LAO": "lo", "MALAYALAM": "ml", "MYANMAR": "my", "SINHALA": "si",
    "TAMIL": "ta", "TELUGU": "te", "THAI": "th",
}  # fmt: skip


def language_of_text(texts: Iterable[str], common_words: Mapping[str, Collection[str]]) -> str | None:
    """Return the language (BCP-47) of a text that is given in parts; None if it is not certain.

    `common_words` are the function words of each language, in lower case.
    """
    listed = list(texts)
    counts = Counter(script for text in listed for script in scripts(text))
    if counts.total() < _LEAST_LETTERS:
        return None
    script = counts.most_common(1)[0][0]
    if script in _ALONE:
        return _ALONE[script]
    if script == "CJK":
        # Every long Japanese text has kana; Chinese has none.
        kana = sum(len(_KANA.findall(text)) for text in listed)
        return "ja" if kana * 10 > counts["CJK"] else "zh"
    return _by_words(
        listed, {tag: set(words) for tag, words in common_words.items() if script_of_language(tag) == script}
    )


def _by_words(texts: Iterable[str], tables: Mapping[str, Collection[str]]) -> str | None:
    """Return the language whose table has the largest share of the words, if it is large enough and well ahead."""
    words = [word.lower().replace("\u2019", "'") for text in texts for word in _WORD.findall(text)][:_MOST_WORDS]
    shares = sorted(
        ((sum(word in table for word in words) / max(len(words), 1), tag) for tag, table in tables.items()),
        reverse=True,
    )
    if not shares or shares[0][0] < _LEAST_SHARE:
        return None
    if len(shares) > 1 and shares[0][0] < shares[1][0] * _LEAST_LEAD:
        return None
    return shares[0][1]
