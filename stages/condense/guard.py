"""Takes a shorter text for a longer one where it keeps the meaning, as far as words can show it.

A text is accepted where it is shorter, keeps every number, name and glossary term, neither adds nor drops a negation,
and shares enough content words with the original, counted both ways. Content words are those that are not joining
words of the language.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise

from shared.language_model import Usage
from shared.text.glossary import Glossary
from shared.text.joining_words import JoiningWords
from shared.text.sentence_end import OPENERS, ends_sentence
from shared.text.text_width import places
from stages.condense.stage import Condensed, Work
from stages.toolkit.llm.lines import NO_TERMS, Line, keeps_numbers
from stages.toolkit.text.word_times import bare, rewritten, tokens_of


def with_texts(
    work: Work, texts: Mapping[int, str], warnings: tuple[str, ...] = (), usage: Usage | None = None,
    provisional: str = "",
) -> Condensed:  # fmt: skip
    """Return the result with new texts for some segments, by id."""
    transcript, translation = work.transcript, work.translation
    if translation:
        shorter = (one.model_copy(update={"text": texts.get(one.id, one.text)}) for one in translation.segments)
        translation = translation.model_copy(update={"segments": tuple(shorter)})
    else:
        segments = (rewritten(segment, texts.get(segment.id, segment.text)) for segment in transcript.segments)
        transcript = transcript.model_copy(update={"segments": tuple(segments)})
    return Condensed(transcript, translation, warnings, usage or Usage(), provisional)


@dataclass(frozen=True)
class Guard:
    """Tells which shorter texts are taken; see the module."""

    joining: JoiningWords
    keep: float
    negations: frozenset[str]
    terms: Glossary = NO_TERMS

    def accepts(self, line: Line, text: str) -> bool:
        """Return whether a text may replace a line."""
        old, new = (self._content(version) for version in (line.text, text))
        common = (old & new).total()
        return (
            0 < places(text) < places(line.text)
            and keeps_numbers(line.text, text)
            and self._terms(line.text) <= self._terms(text)
            and self._names(line.text) <= {bare(token) for token, _ in tokens_of(text)}
            and self._is_negative(line.text) == self._is_negative(text)
            and common >= self.keep * max(old.total(), new.total())
        )

    def _content(self, text: str) -> Counter[str]:
        small = _bared(self.joining.every)
        words = (bare(token) for token, _ in tokens_of(text) if any(map(str.isalnum, token)))
        return Counter(word for word in words if word not in small)

    def _terms(self, text: str) -> set[str]:
        return {hit.term.source for hit in self.terms.find(text)}

    def _names(self, text: str) -> set[str]:
        """Return words with a capital that no sentence begins with."""
        if not self.joining.capitals_are_names:
            return set()
        small = _bared(self.joining.every)
        found = {
            bare(word)
            for before, word in pairwise(text.split())
            if word.lstrip(OPENERS)[:1].isupper() and not ends_sentence(before)
        }
        return found - small

    def _is_negative(self, text: str) -> bool:
        return not _bared(self.negations).isdisjoint(bare(token) for token, _ in tokens_of(text))


def _bared(words: Collection[str]) -> frozenset[str]:
    return frozenset(map(bare, words))
