"""Corrections that cannot be wrong: a rule that could damage a good text is not here.

Each leaves the letters and digits of a text as they are, but for a small word that was said twice in one breath, and
for capitals in a transcript that has none at all. What a good recogniser writes passes unchanged.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from shared.documents.transcript import Transcript
from shared.documents.translation import Translation
from shared.stage import Device
from shared.text.glossary import Glossary, Term
from shared.text.language import primary
from shared.text.sentence_end import SHORTENED
from stages.refine.stage import Refined, RefineParams
from stages.toolkit.text.word_times import rewritten

# Not the spaces that typography puts on purpose: no-break, narrow no-break, ideographic.
_SPACES = re.compile("[ \\t\\n\\v\\f\\r\\x1c-\\x1f\\x85\\u2028\\u2029]+")
_SPACE_BEFORE_MARK = re.compile(r"(?<=\w) +([,.;:!?])(?=\s|$)")
_COMMA_BETWEEN_WORDS = re.compile(r"(?<=[^\W\d_]{2}),(?=[^\W\d_]{2})")
_SAME_MARK = re.compile(r"([,;])\1+")
_WORD = re.compile(r"[^\W\d_]+")
# Words of which no sentence has two in a row, not even one that was written down without its commas. "That that", "had
# had", "think of of course", "my my" and all reduplication stay.
_NEVER_TWICE = {
    "en": {"the", "an", "and", "your", "our", "their", "we", "they"},
    "es": {"el", "un", "una", "los"},
    "fr": {"les", "et", "des"},
    "it": {"il", "un", "una"},
    "pt": {"os", "um", "uma"},
    "de": {"und"},
}
_FRENCH = frozenset(";:!?")  # which French sets apart by a space
_SHORTENED = SHORTENED | {
    "no",
    "etc",
    "jr",
    "ave",
    "fig",
    "inc",
    "ltd",
    "vol",
    "approx",
}  # and some that a sentence may end with
_FIRST_PERSON = re.compile(r"\bi(?=$|[\s,;!?]|'(?:m|ll|ve|d)\b)")
_CASED = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN")
_NO_CAPITALS = {"tr", "az", "nl", "ga", "ka"}  # where a first letter's capital is another letter, or two


class TextRules:
    """The engine; holds nothing."""

    def refine(
        self, transcript: Transcript, translation: Translation | None, glossary: Glossary, params: RefineParams,
        progress: Callable[[float], None],
    ) -> Refined:  # fmt: skip
        """See `by_rules`."""
        return by_rules(transcript, translation, glossary)


def load(models: Mapping[str, Path], device: Device) -> TextRules:
    """Do nothing: this backend has no model."""
    return TextRules()


def by_rules(transcript: Transcript, translation: Translation | None, glossary: Glossary) -> Refined:
    """Return the translation by the rules; the transcript where there is none."""
    if translation is not None:
        written = [term.rendering(translation.target) or "" for term in glossary.terms]
        texts = tidied([segment.text for segment in translation.segments], translation.target, written)
        segments = tuple(
            segment.model_copy(update={"text": text}) for segment, text in zip(translation.segments, texts, strict=True)
        )
        return Refined(transcript, translation.model_copy(update={"segments": segments}))
    spoken = [term.source for term in glossary.terms]
    texts = tidied([segment.text for segment in transcript.segments], transcript.language, spoken)
    said = tuple(rewritten(segment, text) for segment, text in zip(transcript.segments, texts, strict=True))
    return Refined(transcript.model_copy(update={"segments": said}), None)


def tidied(lines: Sequence[str], language: str, terms: Iterable[str] = ()) -> list[str]:
    """Return the lines by the rules, each for itself but for capitals: those follow the line before. `terms` are
    written as they stand here, where their capitals can mean nothing else."""
    tidy = [_tidied(line, primary(language)) for line in lines]
    if primary(language) not in _NO_CAPITALS and all(line == line.lower() for line in tidy):
        tidy = list(_with_capitals(tidy, primary(language)))
    spelt = Glossary(terms=tuple(Term(source=term, match="any-case") for term in dict.fromkeys(terms) if _is_odd(term)))
    return [_respelt(line, spelt) for line in tidy] if spelt.terms else tidy


def _is_odd(term: str) -> bool:
    """Return whether a term cannot be mistaken for an everyday word: `May` can, `WhisperX` and `Big Buck Bunny`
    cannot."""
    return term != term.lower() and (" " in term or any(map(str.isupper, term[1:])))


def _respelt(line: str, terms: Glossary) -> str:
    for hit in reversed(terms.find(line)):
        line = line[: hit.start] + hit.term.source + line[hit.end :]
    return line


def _tidied(line: str, language: str) -> str:
    text = _SAME_MARK.sub(r"\1", _SPACES.sub(" ", line).strip(" "))
    text = _SPACE_BEFORE_MARK.sub(
        lambda found: found[0] if language == "fr" and found[1] in _FRENCH else found[1], text
    )
    text = _COMMA_BETWEEN_WORDS.sub(lambda found: ", " if _is_cased(text[found.start() - 1]) else ",", text)
    return " ".join(_without_repeats(text.split(" "), _NEVER_TWICE.get(language, set())))


def _without_repeats(words: Sequence[str], never_twice: set[str]) -> Iterator[str]:
    """Yield words less each that was just said. The first of two stays, with its capital."""
    before = ""
    for word in words:
        if word not in never_twice or word != before.lower():
            yield word
        before = word


def _with_capitals(lines: Sequence[str], language: str) -> Iterator[str]:
    """Write capitals at the beginning of sentences, for a recogniser that writes none."""
    starts = True
    for line in lines:
        text = "".join(_sentences(line, starts))
        yield _FIRST_PERSON.sub("I", text) if language == "en" else text
        if line:
            starts = _ends_sentence(line.split(" ")[-1])


def _sentences(line: str, starts: bool) -> Iterator[str]:
    for number, word in enumerate(line.split(" ")):
        first = _WORD.search(word)
        if starts and first and not any(map(str.isdigit, word[: first.start()])):
            at = first.start()
            word = word[:at] + _capital(word[at]) + word[at + 1 :]
        yield f" {word}" if number else word
        starts = _ends_sentence(word) if word else starts


def _ends_sentence(word: str) -> bool:
    """Return whether a word with its mark ends a sentence: abbreviations, ordinals and pauses do not."""
    bare = word.rstrip("\"'”’»)")
    if bare[-1:] not in {".", "!", "?"} or bare.endswith(".."):
        return False
    said = bare.strip("\"'“‘«(.!?")
    short = len(said) < 2 or said.isdecimal() or "." in said or said in _SHORTENED
    return bare[-1] != "." or not short


def _capital(letter: str) -> str:
    return letter.upper() if _is_cased(letter) and len(letter.upper()) == 1 else letter


def _is_cased(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith(_CASED)
