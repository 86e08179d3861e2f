"""Decide whether a shorter text may replace a longer one, as far as words show that it keeps the meaning.

A text is accepted if it is shorter, keeps every number, name and glossary term, neither adds nor drops a negation, and
shares enough content words with the original, counted both ways. Content words are all words except the joining words
of the language.
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
        shorter = (
            segment.model_copy(update={"text": texts.get(segment.id, segment.text)}) for segment in translation.segments
        )
        translation = translation.model_copy(update={"segments": tuple(shorter)})
    else:
        segments = (rewritten(segment, texts.get(segment.id, segment.text)) for segment in transcript.segments)
        transcript = transcript.model_copy(update={"segments": tuple(segments)})
    return Condensed(transcript, translation, warnings, usage or Usage(), provisional)


@dataclass(frozen=True)
class Guard:
    """The conditions for a shorter text (see the module). `keep` is the least share of content words, and `negations`
    and `terms` must stay."""

    joining: JoiningWords
    keep: float
    negations: frozenset[str]
    terms: Glossary = NO_TERMS

    def accepts(self, line: Line, text: str) -> bool:
        """Tell whether a text may replace a line."""
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
        """Return the content words of a text with their counts."""
        joining = _bare_words(self.joining.every)
        words = (bare(token) for token, _ in tokens_of(text) if any(map(str.isalnum, token)))
        return Counter(word for word in words if word not in joining)

    def _terms(self, text: str) -> set[str]:
        return {hit.term.source for hit in self.terms.find(text)}

    def _names(self, text: str) -> set[str]:
        """Return the words with a capital that are not the first of a sentence."""
        if not self.joining.capitals_are_names:
            return set()
        found = {
            bare(word)
            for before, word in pairwise(text.split())
            if word.lstrip(OPENERS)[:1].isupper() and not ends_sentence(before)
        }
        return found - _bare_words(self.joining.every)

    def _is_negative(self, text: str) -> bool:
        return not _bare_words(self.negations).isdisjoint(bare(token) for token, _ in tokens_of(text))


def _bare_words(words: Collection[str]) -> frozenset[str]:
    return frozenset(map(bare, words))
