"""Shorten segments with a language model, and accept only texts that keep the meaning as far as words can show it.

A text is accepted where it is shorter, keeps every number, name and glossary term, neither adds nor drops a negation,
and shares enough content words with the original, counted both ways. Content words are those that are not joining
words of the language.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise

from shared.text.glossary import Glossary
from shared.text.joining_words import JoiningWords
from shared.text.language import english_name
from shared.text.sentence_end import OPENERS, ends_sentence
from shared.text.text_width import places
from stages.condense.stage import Condensed, Work
from stages.toolkit.llm.engine import LineAsker
from stages.toolkit.llm.lines import NO_TERMS, Line, Task, keeps_numbers
from stages.toolkit.text.word_times import bare, rewritten, tokens_of


class Condenser(LineAsker):
    """The engine of stage `condense`."""

    def condense(self, work: Work) -> Condensed:
        """Return shorter texts for the segments that are too long, where the model gives one that passes the checks."""
        spoken = work.transcript.segments
        texts = {segment.id: segment.text for segment in (work.translation or work.transcript).segments}
        wanted = (segment for segment in spoken if segment.id in work.most)
        lines = [Line(segment.id, texts[segment.id], segment.speaker, most=work.most[segment.id]) for segment in wanted]
        guard = Guard(work.joining, work.params.keep, frozenset(work.negations), work.terms)
        task = Task(condensing(work.language), work.params.instructions, work.terms)
        outcome = self.ask(lines, task, work.params, guard.accepts, work.progress)
        warnings, provisional = outcome.warnings("longer"), outcome.provisional("longer")
        if work.translation:
            shorter = tuple(
                segment.model_copy(update={"text": outcome.texts.get(segment.id, segment.text)})
                for segment in work.translation.segments
            )
            translation = work.translation.model_copy(update={"segments": shorter})
            return Condensed(work.transcript, translation, warnings, outcome.usage, provisional)
        segments = tuple(rewritten(segment, outcome.texts.get(segment.id, segment.text)) for segment in spoken)
        shortened = work.transcript.model_copy(update={"segments": segments})
        return Condensed(shortened, None, warnings, outcome.usage, provisional)


def condensing(language: str) -> str:
    """Return the task of shortening."""
    return (
        f"You shorten subtitles in {english_name(language)} that are spoken faster than anybody reads. Say the same in"
        " at most as many characters as `most` says, spaces and punctuation counted. Leave out what a viewer does not"
        " miss: fillers, repetitions, forms of address, what the picture shows. Keep every name, every number and every"
        " negation, and use the words that are there. Keep the language, the tone and the person who speaks."
    )


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
