"""Corrections that cannot be wrong: a rule that could damage a good text is not here.

Each leaves the letters and digits of a text as they are, but for a small word that was said twice in one breath, and
for the capital of a sentence's first letter. What a good recogniser writes passes unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from shared.documents.transcript import Transcript
from shared.documents.translation import Translation
from shared.stage import Device
from shared.text.glossary import Glossary, Term
from shared.text.language import primary
from shared.text.language_params import of_language
from stages.refine.sentence_starts import is_cased, with_sentence_starts
from stages.refine.stage import Refined, RefineParams
from stages.toolkit.text.word_times import rewritten

# Not the spaces that typography puts on purpose: no-break, narrow no-break, ideographic.
_SPACES = re.compile("[ \\t\\n\\v\\f\\r\\x1c-\\x1f\\x85\\u2028\\u2029]+")
_SPACE_BEFORE_MARK = re.compile(r"(?<=\w) +([,.;:!?])(?=\s|$)")
_COMMA_BETWEEN_WORDS = re.compile(r"(?<=[^\W\d_]{2}),(?=[^\W\d_]{2})")
_SAME_MARK = re.compile(r"([,;])\1+")
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
_DEFAULTS = RefineParams()
_FRENCH = frozenset(";:!?")  # which French sets apart by a space
_FIRST_PERSON = re.compile(r"\bi(?=$|[\s,;!?]|'(?:m|ll|ve|d)\b)")


class TextRules:
    """The engine; holds nothing."""

    def refine(
        self, transcript: Transcript, translation: Translation | None, glossary: Glossary, params: RefineParams,
        progress: Callable[[float], None],
    ) -> Refined:  # fmt: skip
        """See `by_rules`."""
        return by_rules(transcript, translation, glossary, params)


def load(models: Mapping[str, Path], device: Device) -> TextRules:
    """Do nothing: this backend has no model."""
    return TextRules()


def by_rules(
    transcript: Transcript, translation: Translation | None, glossary: Glossary,
    params: RefineParams = _DEFAULTS,
) -> Refined:  # fmt: skip
    """Return the translation by the rules; the transcript where there is none. Of `params`, the
    tables by language count."""
    language = transcript.language if translation is None else translation.target
    openers, joining = of_language(params.sentence_openers, language, ()), params.joining_words_in(language).every
    if translation is not None:
        written = [term.rendering(translation.target) or "" for term in glossary.terms]
        texts = tidied([segment.text for segment in translation.segments], language, written, openers, joining)
        segments = tuple(
            segment.model_copy(update={"text": text}) for segment, text in zip(translation.segments, texts, strict=True)
        )
        return Refined(transcript, translation.model_copy(update={"segments": segments}))
    spoken = [term.source for term in glossary.terms]
    texts = tidied([segment.text for segment in transcript.segments], language, spoken, openers, joining)
    spelt = _odd_terms(spoken)
    # A person wrote what was read: only the glossary changes it.
    texts = [
        _respelt(segment.text, spelt) if segment.origin == "read" else text
        for segment, text in zip(transcript.segments, texts, strict=True)
    ]
    refined = tuple(rewritten(segment, text) for segment, text in zip(transcript.segments, texts, strict=True))
    return Refined(transcript.model_copy(update={"segments": refined}), None)


def tidied(
    lines: Sequence[str], language: str, terms: Iterable[str] = (), openers: Collection[str] = (),
    joining: Collection[str] = (),
) -> list[str]:  # fmt: skip
    """Return the lines by the rules. `terms` are written as they stand here, where their capitals can mean nothing
    else; `openers` are the words, in lower case, whose capital shows that a sentence begins; after
    `joining` words none ends."""
    tidy = [_tidied(line, primary(language)) for line in lines]
    has_capitals = any(line != line.lower() for line in tidy)
    tidy = with_sentence_starts(tidy, primary(language), openers, joining)
    if primary(language) == "en" and not has_capitals:
        tidy = [_FIRST_PERSON.sub("I", line) for line in tidy]
    spelt = _odd_terms(terms)
    return [_respelt(line, spelt) for line in tidy] if spelt.terms else tidy


def _odd_terms(terms: Iterable[str]) -> Glossary:
    return Glossary(terms=tuple(Term(source=term, match="any-case") for term in dict.fromkeys(terms) if _is_odd(term)))


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
    text = _COMMA_BETWEEN_WORDS.sub(lambda found: ", " if is_cased(text[found.start() - 1]) else ",", text)
    return " ".join(_without_repeats(text.split(" "), _NEVER_TWICE.get(language, set())))


def _without_repeats(words: Sequence[str], never_twice: set[str]) -> Iterator[str]:
    """Yield words less each that was just said. The first of two stays, with its capital."""
    before = ""
    for word in words:
        if word not in never_twice or word != before.lower():
            yield word
        before = word
