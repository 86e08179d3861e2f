"""Shorten texts by rules: leave out what a subtitler leaves out first, by the lists of the language.

Asides that say nothing (`you know`) are left out first, if marks separate them from the rest. Subject pronouns that the
verb shows too (Portuguese `eu`) come next, at the beginning of a clause with two or more words after them. No more is
left out than necessary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from shared.stage import Device
from shared.text.language_params import entry_for
from shared.text.sentence_end import CLOSERS, OPENERS, ends_sentence
from shared.text.text_width import places
from stages.condense.guard import Guard, with_texts
from stages.condense.stage import Condensed, Work
from stages.toolkit.llm.lines import Line
from stages.toolkit.text.word_times import bare

_LEAST_AFTER = 2  # words after a subject in its clause: in `Eu também.`, nothing else says who


class RuleCondenser:
    """The engine of backend `rules`, without state."""

    def condense(self, work: Work) -> Condensed:
        """Return shorter texts for the segments that are too long, if the lists of the language allow it."""
        asides = [phrase.split() for phrase in entry_for(work.params.asides, work.language, ())]
        subjects = frozenset(map(bare, entry_for(work.params.silent_subjects, work.language, ())))
        guard = Guard(work.joining, work.params.keep, frozenset(work.negations), work.terms)
        texts = work.texts
        found = {number: shortened(texts[number], most, asides, subjects) for number, most in work.most.items()}
        accepted = {number: text for number, text in found.items() if guard.accepts(Line(number, texts[number]), text)}
        return with_texts(work, accepted)


def load(models: Mapping[str, Path], device: Device) -> RuleCondenser:
    """Return the engine; there is no model to load."""
    return RuleCondenser()


def shortened(text: str, most: int, asides: Sequence[Sequence[str]], subjects: frozenset[str]) -> str:
    """Leave out asides and subjects, one after another, until the text has at most `most` places or none is left."""
    while places(text) > most:
        shorter = next(_without_one(text.split(), asides, subjects), None)
        if shorter is None:
            break
        text = shorter
    return text


def _without_one(words: list[str], asides: Sequence[Sequence[str]], subjects: frozenset[str]) -> Iterator[str]:
    """Yield the text without one aside or one subject, the best first."""
    for phrase in asides:
        aside = [bare(word) for word in phrase]
        for start in range(len(words) - len(aside) + 1):
            end = start + len(aside)
            if [bare(word) for word in words[start:end]] == aside and _is_aside(words, start, end):
                yield _cut(words, start, end)
    for at, word in enumerate(words):
        if bare(word) in subjects and word[-1:].isalpha() and _begins_clause(words, at):
            rest = next((n for n in range(at + 1, len(words)) if not words[n][-1:].isalnum()), len(words) - 1)
            if rest - at >= _LEAST_AFTER:
                yield _cut(words, at, at + 1)


def _is_aside(words: Sequence[str], start: int, end: int) -> bool:
    """Tell whether marks separate the words from the rest of their sentence."""
    if not _begins_clause(words, start) or words[end - 1][-1:].isalnum():
        return False
    is_all = (start == 0 or ends_sentence(words[start - 1])) and ends_sentence(words[end - 1])
    return not is_all and not any(word[-1:] and not word[-1:].isalnum() for word in words[start : end - 1])


def _begins_clause(words: Sequence[str], at: int) -> bool:
    return at == 0 or not words[at - 1].rstrip(CLOSERS)[-1:].isalnum()


def _cut(words: Sequence[str], start: int, end: int) -> str:
    """Return the text without the words from `start` to before `end`. Their capital and their mark at the end of a
    sentence move to the words beside them."""
    kept = [*words[:start], *words[end:]]
    if ends_sentence(words[end - 1]) and start:
        kept[start - 1] = words[start - 1].rstrip(",") + words[end - 1][len(words[end - 1].rstrip(".?!…。？！")) :]
    elif words[start].lstrip(OPENERS)[:1].isupper() and start < len(kept):
        kept[start] = kept[start][:1].upper() + kept[start][1:]
    return " ".join(kept)
