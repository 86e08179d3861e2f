"""Shorten by rules: what a subtitler leaves out first, by the lists of the language.

Asides that say nothing (`you know`) go first, where marks part them from the rest. Then go subject pronouns that the
verb shows as well (Portuguese `eu`), at the beginning of a clause with two words or more after them. No more goes than
has to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from shared.stage import Device
from shared.text.language_params import of_language
from shared.text.sentence_end import CLOSERS, OPENERS, ends_sentence
from shared.text.text_width import places
from stages.condense.guard import Guard, with_texts
from stages.condense.stage import Condensed, Work
from stages.toolkit.llm.lines import Line
from stages.toolkit.text.word_times import bare

_LEAST_AFTER = 2  # words of the clause after a subject: `Eu também.` says who


class RuleCondenser:
    """The engine; holds nothing."""

    def condense(self, work: Work) -> Condensed:
        """Return shorter texts for the segments that are too long, as far as the lists of the language lead."""
        asides = [phrase.split() for phrase in of_language(work.params.asides, work.language, ())]
        subjects = frozenset(map(bare, of_language(work.params.silent_subjects, work.language, ())))
        guard = Guard(work.joining, work.params.keep, frozenset(work.negations), work.terms)
        texts = work.texts
        found = {number: shortened(texts[number], most, asides, subjects) for number, most in work.most.items()}
        taken = {number: text for number, text in found.items() if guard.accepts(Line(number, texts[number]), text)}
        return with_texts(work, taken)


def load(models: Mapping[str, Path], device: Device) -> RuleCondenser:
    """Do nothing: this backend has no model."""
    return RuleCondenser()


def shortened(text: str, most: int, asides: Sequence[Sequence[str]], subjects: frozenset[str]) -> str:
    """Return the text without asides and subjects until it takes at most `most` places, or none is left to go."""
    while places(text) > most:
        shorter = next(_without_one(text.split(), asides, subjects), None)
        if shorter is None:
            break
        text = shorter
    return text


def _without_one(words: list[str], asides: Sequence[Sequence[str]], subjects: frozenset[str]) -> Iterator[str]:
    """Yield the text without one aside, or without one subject, the best first."""
    for phrase in asides:
        wanted = [bare(word) for word in phrase]
        for start in range(len(words) - len(wanted) + 1):
            end = start + len(wanted)
            if [bare(word) for word in words[start:end]] == wanted and _is_aside(words, start, end):
                yield _cut(words, start, end)
    for at, word in enumerate(words):
        if bare(word) in subjects and word[-1:].isalpha() and _begins_clause(words, at):
            rest = next((n for n in range(at + 1, len(words)) if not words[n][-1:].isalnum()), len(words) - 1)
            if rest - at >= _LEAST_AFTER:
                yield _cut(words, at, at + 1)


def _is_aside(words: Sequence[str], start: int, end: int) -> bool:
    """Tell whether marks part the words from the rest of their sentence."""
    if not _begins_clause(words, start) or words[end - 1][-1:].isalnum():
        return False
    is_all = (start == 0 or ends_sentence(words[start - 1])) and ends_sentence(words[end - 1])
    return not is_all and not any(word[-1:] and not word[-1:].isalnum() for word in words[start : end - 1])


def _begins_clause(words: Sequence[str], at: int) -> bool:
    return at == 0 or not words[at - 1].rstrip(CLOSERS)[-1:].isalnum()


def _cut(words: Sequence[str], start: int, end: int) -> str:
    """Return the text without these words: a capital and the mark of a sentence's end go to those that stay."""
    kept = [*words[:start], *words[end:]]
    if ends_sentence(words[end - 1]) and start:
        kept[start - 1] = words[start - 1].rstrip(",") + words[end - 1][len(words[end - 1].rstrip(".?!…。？！")) :]
    elif words[start].lstrip(OPENERS)[:1].isupper() and start < len(kept):
        kept[start] = kept[start][:1].upper() + kept[start][1:]
    return " ".join(kept)
