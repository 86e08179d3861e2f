"""Correct texts by rules that cannot be wrong: no rule could damage a good text.

The rules leave all letters and digits as they are, with two exceptions: a small word that occurs twice in a row is
written once, and the first letter of a sentence gets a capital. The text of a good recogniser passes unchanged.
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
from shared.text.language_params import entry_for
from stages.refine.sentence_starts import is_cased, with_sentence_starts
from stages.refine.stage import Refined, RefineParams
from stages.toolkit.text.word_times import rewritten

# All white space except the spaces that typography needs: no-break, narrow no-break, ideographic.
_SPACES = re.compile("[ \\t\\n\\v\\f\\r\\x1c-\\x1f\\x85\\u2028\\u2029]+")
_SPACE_BEFORE_MARK = re.compile(r"(?<=\w) +([,.;:!?])(?=\s|$)")
_COMMA_BETWEEN_WORDS = re.compile(r"(?<=[^\W\d_]{2}),(?=[^\W\d_]{2})")
_SAME_MARK = re.compile(r"([,;])\1+")
# Words that no sentence has twice in a row, even if its commas are missing. "That that", "had had", "think of of
# course", "my my" and all reduplication stay.
_NEVER_TWICE = {
    "en": {"the", "an", "and", "your", "our", "their", "we", "they"},
    "es": {"el", "un", "una", "los"},
    "fr": {"les", "et", "des"},
    "it": {"il", "un", "una"},
    "pt": {"os", "um", "uma"},
    "de": {"und"},
}
_DEFAULTS = RefineParams()
_FRENCH = frozenset(";:!?")  # the marks before which French has a space
_FIRST_PERSON = re.compile(r"\bi(?=$|[\s,;!?]|'(?:m|ll|ve|d)\b)")


class TextRules:
    """The engine of backend `rules`, without state."""

    def refine(
        self, transcript: Transcript, translation: Translation | None, glossary: Glossary, params: RefineParams,
        progress: Callable[[float], None],
    ) -> Refined:  # fmt: skip
        """See `apply_rules`."""
        return apply_rules(transcript, translation, glossary, params)


def load(models: Mapping[str, Path], device: Device) -> TextRules:
    """Return the engine; there is no model to load."""
    return TextRules()


def apply_rules(
    transcript: Transcript, translation: Translation | None, glossary: Glossary,
    params: RefineParams = _DEFAULTS,
) -> Refined:  # fmt: skip
    """Return the translation with the rules applied, or the transcript if there is no translation. Only the word lists
    of `params` count."""
    language = transcript.language if translation is None else translation.target
    openers, joining = entry_for(params.sentence_openers, language, ()), params.joining_words_in(language).every
    if translation is not None:
        written = [term.rendering(translation.target) or "" for term in glossary.terms]
        texts = tidy_lines([segment.text for segment in translation.segments], language, written, openers, joining)
        segments = tuple(
            segment.model_copy(update={"text": text}) for segment, text in zip(translation.segments, texts, strict=True)
        )
        return Refined(transcript, translation.model_copy(update={"segments": segments}))
    spoken = [term.source for term in glossary.terms]
    texts = tidy_lines([segment.text for segment in transcript.segments], language, spoken, openers, joining)
    distinctive = _distinctive_terms(spoken)
    # A person wrote the text of an existing subtitle: only the glossary changes it.
    texts = [
        _with_spelling(segment.text, distinctive) if segment.origin == "read" else text
        for segment, text in zip(transcript.segments, texts, strict=True)
    ]
    refined = tuple(rewritten(segment, text) for segment, text in zip(transcript.segments, texts, strict=True))
    return Refined(transcript.model_copy(update={"segments": refined}), None)


def tidy_lines(
    lines: Sequence[str], language: str, terms: Iterable[str] = (), openers: Collection[str] = (),
    joining: Collection[str] = (),
) -> list[str]:  # fmt: skip
    """Return the lines with the rules applied.

    `terms` are written as given, if they cannot be mistaken for everyday words. `openers` are words, in lower case,
    whose capital shows that a sentence begins. No sentence ends after a word of `joining`.
    """
    tidy = [_tidy_line(line, primary(language)) for line in lines]
    has_capitals = any(line != line.lower() for line in tidy)
    tidy = with_sentence_starts(tidy, primary(language), openers, joining)
    if primary(language) == "en" and not has_capitals:
        tidy = [_FIRST_PERSON.sub("I", line) for line in tidy]
    distinctive = _distinctive_terms(terms)
    return [_with_spelling(line, distinctive) for line in tidy] if distinctive.terms else tidy


def _distinctive_terms(terms: Iterable[str]) -> Glossary:
    return Glossary(
        terms=tuple(Term(source=term, match="any-case") for term in dict.fromkeys(terms) if _is_distinctive(term))
    )


def _is_distinctive(term: str) -> bool:
    """Tell whether a term cannot be an everyday word: `May` can be one, `WhisperX` cannot."""
    return term != term.lower() and (" " in term or any(map(str.isupper, term[1:])))


def _with_spelling(line: str, terms: Glossary) -> str:
    for hit in reversed(terms.find(line)):
        line = line[: hit.start] + hit.term.source + line[hit.end :]
    return line


def _tidy_line(line: str, language: str) -> str:
    text = _SAME_MARK.sub(r"\1", _SPACES.sub(" ", line).strip(" "))
    text = _SPACE_BEFORE_MARK.sub(
        lambda found: found[0] if language == "fr" and found[1] in _FRENCH else found[1], text
    )
    text = _COMMA_BETWEEN_WORDS.sub(lambda found: ", " if is_cased(text[found.start() - 1]) else ",", text)
    return " ".join(_without_repeats(text.split(" "), _NEVER_TWICE.get(language, set())))


def _without_repeats(words: Sequence[str], never_twice: set[str]) -> Iterator[str]:
    """Yield the words without those of `never_twice` that repeat the word before. The first one stays, with its
    capital."""
    before = ""
    for word in words:
        if word not in never_twice or word != before.lower():
            yield word
        before = word
