"""Shorten segments with a language model, and accept only texts that keep the meaning (see `stages.condense.guard`)."""

from __future__ import annotations

from shared.text.language import english_name
from stages.condense.guard import Guard, with_texts
from stages.condense.stage import Condensed, Work
from stages.toolkit.llm.engine import LineAsker
from stages.toolkit.llm.lines import Line, Task


class Condenser(LineAsker):
    """The engine of stage `condense` with a language model."""

    def condense(self, work: Work) -> Condensed:
        """Return shorter texts for the segments that are too long, if the model gives one that passes the checks."""
        texts = work.texts
        segments = (segment for segment in work.transcript.segments if segment.id in work.most)
        lines = [
            Line(segment.id, texts[segment.id], segment.speaker, most=work.most[segment.id]) for segment in segments
        ]
        guard = Guard(work.joining, work.params.keep, frozenset(work.negations), work.terms)
        task = Task(condensing(work.language), work.params.instructions, work.terms)
        outcome = self.ask(lines, task, work.params, guard.accepts, work.progress)
        warnings, provisional = outcome.warnings("longer"), outcome.provisional("longer")
        return with_texts(work, outcome.texts, warnings, outcome.usage, provisional)


def condensing(language: str) -> str:
    """Return the instruction for shortening."""
    return (
        f"You shorten subtitles in {english_name(language)} that are spoken faster than anybody reads. Say the same in"
        " at most as many characters as `most` says, spaces and punctuation counted. Leave out what a viewer does not"
        " miss: fillers, repetitions, forms of address, what the picture shows. Keep every name, every number and every"
        " negation, and use the words that are there. Keep the language, the tone and the person who speaks."
    )
