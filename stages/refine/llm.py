"""Refine a transcript or a translation with a language model, after the rules."""

from __future__ import annotations

from shared.documents.transcript import Transcript
from shared.documents.translation import TranslatedSegment, Translation
from shared.text.glossary import Glossary
from stages.refine.rules import apply_rules
from stages.refine.stage import Refined, RefineParams
from stages.toolkit.llm.engine import LineAsker
from stages.toolkit.llm.lines import Line, Progress, Task, correcting, corrects, improving, translates
from stages.toolkit.text.word_times import rewritten


class Refiner(LineAsker):
    """The engine of stage `refine` with a language model."""

    def refine(
        self, transcript: Transcript, translation: Translation | None, glossary: Glossary, params: RefineParams,
        progress: Progress,
    ) -> Refined:  # fmt: skip
        """Apply the rules, then ask the model to refine the texts that the parameters name."""
        tidy = apply_rules(transcript, translation, glossary, params)
        if params.texts not in {"all", "transcript" if translation is None else "translation"}:
            return tidy
        if translation is None:
            text, lines = correcting(transcript.language), [Line.of(segment) for segment in tidy.transcript.segments]
        else:
            assert tidy.translation is not None
            drafts = {segment.id: segment.text for segment in tidy.translation.segments}
            text = improving(translation.source, translation.target)
            lines = [Line.of(segment, drafts.get(segment.id)) for segment in transcript.segments]

        def accept(line: Line, text: str) -> bool:
            if line.draft is not None:
                return translates(line.text, text, line.draft)
            return corrects(line.text, text, params.max_changed, glossary)

        task = Task(text, params.instructions, glossary, translation.target if translation else None)
        outcome = self.ask([line for line in lines if line.has_words], task, params, accept, progress)
        facts = {"kept": outcome.kept.total()}
        warnings, provisional = outcome.warnings("unrefined"), outcome.provisional("unrefined")
        if tidy.translation is not None:
            improved = tuple(_translated(segment, outcome.texts) for segment in tidy.translation.segments)
            better = tidy.translation.model_copy(update={"segments": improved})
            return Refined(transcript, better, warnings, dict(facts), outcome.usage, provisional)
        segments = tuple(
            rewritten(segment, outcome.texts.get(segment.id, segment.text)) for segment in tidy.transcript.segments
        )
        improved_transcript = tidy.transcript.model_copy(update={"segments": segments})
        return Refined(improved_transcript, None, warnings, dict(facts), outcome.usage, provisional)


def _translated(segment: TranslatedSegment, texts: dict[int, str]) -> TranslatedSegment:
    return segment.model_copy(update={"text": texts.get(segment.id, segment.text)})
