"""Translate a transcript with a language model."""

from __future__ import annotations

from collections.abc import Sequence

from stages.toolkit.llm.engine import LineAsker
from stages.toolkit.llm.lines import Line, Task, translates, translating
from stages.translate.stage import Work


class Translator(LineAsker):
    """The engine of stage `translate`."""

    def translate(self, work: Work) -> Sequence[str]:
        """Return one text for each segment, an empty one if the model gave no plausible translation."""
        lines = [line for line in map(Line.of, work.segments) if line.has_words]
        text = translating(work.source, work.target)
        task = Task(text, work.params.instructions, work.glossary, work.target)

        def accept(line: Line, text: str) -> bool:
            return translates(line.text, text)

        outcome = self.ask(lines, task, work.params, accept, work.progress)
        for warning in outcome.warnings("untranslated"):
            work.warn(warning)
        if provisional := outcome.provisional("untranslated"):
            work.mark_provisional(provisional)
        outcome.usage.note(work.note, work.params)
        return [
            outcome.texts.get(segment.id, "" if Line.of(segment).has_words else segment.text)
            for segment in work.segments
        ]
