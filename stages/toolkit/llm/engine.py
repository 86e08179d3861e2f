"""Ask a language model for stages: windows of lines, several requests under way at once.

Where an answer cannot be used, the window is asked for once more in two halves. A line that is still missing, or whose
new text is implausible, stays as it was. When the service is away, all remaining lines stay as they were, the result is
marked as makeshift, and the next run makes it again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Protocol

from shared.documents.transcript import Segment, Transcript
from shared.documents.translation import TranslatedSegment, Translation
from shared.language_model import LanguageModelParams
from shared.stage import Fact
from shared.text.glossary import Glossary
from stages.condense.llm import Condenser
from stages.refine.rules import by_rules
from stages.refine.stage import Refined, RefineParams
from stages.toolkit.llm.lines import (
    Accept,
    Line,
    Outcome,
    Progress,
    Task,
    Window,
    correcting,
    corrects,
    improving,
    question,
    read_answer,
    translates,
    translating,
    windows_of,
)
from stages.toolkit.llm.service import Away, GivenUp, Insistence, LanguageModel, Unusable
from stages.toolkit.text.word_times import rewritten

_HEAR_EVERY_S = 0.25  # how often a job that waits looks whether it was cancelled

_Given = tuple[dict[int, str], GivenUp | None]
"""Texts by id, and why no more were asked for, where that is so."""


class ToTranslate(Protocol):
    """The text to translate: the part of `stages.translate.stage.Work` that this module uses."""

    @property
    def segments(self) -> Sequence[Segment]: ...
    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def params(self) -> LanguageModelParams: ...
    @property
    def glossary(self) -> Glossary: ...
    @property
    def progress(self) -> Progress: ...
    @property
    def warn(self) -> Callable[[str], None]: ...
    @property
    def makeshift(self) -> Callable[[str], None]: ...
    @property
    def note(self) -> Callable[[str, Fact], None]: ...


class LanguageModelEngine(Condenser):
    """A model that refines, translates and condenses. It keeps nothing from one job to the next."""

    def __init__(self, model: LanguageModel, at_once: int | None = None) -> None:
        """`at_once` bounds what the user allows, for a model that computes here."""
        self._model, self._at_once = model, at_once

    def refine(
        self, transcript: Transcript, translation: Translation | None, glossary: Glossary, params: RefineParams,
        progress: Progress,
    ) -> Refined:  # fmt: skip
        """Apply the rules first, which cost nothing; then ask the model for the texts that the parameters name."""
        tidy = by_rules(transcript, translation, glossary)
        if params.texts not in {"all", "transcript" if translation is None else "translation"}:
            return tidy
        if translation is None:
            text, lines = correcting(transcript.language), [_line(one) for one in tidy.transcript.segments]
        else:
            assert tidy.translation is not None
            drafts = {one.id: one.text for one in tidy.translation.segments}
            text = improving(translation.source, translation.target)
            lines = [_line(one, drafts.get(one.id)) for one in transcript.segments]

        def accept(line: Line, text: str) -> bool:
            if line.draft is not None:
                return translates(line.text, text, line.draft)
            return corrects(line.text, text, params.max_changed, glossary)

        task = Task(text, params.instructions, glossary, translation.target if translation else None)
        outcome = self.ask([line for line in lines if _says_something(line)], task, params, accept, progress)
        facts = {"kept": outcome.kept.total()}
        warnings, makeshift = outcome.warnings("unrefined"), outcome.makeshift("unrefined")
        if tidy.translation is not None:
            improved = tuple(_translated(one, outcome.texts) for one in tidy.translation.segments)
            better = tidy.translation.model_copy(update={"segments": improved})
            return Refined(transcript, better, warnings, dict(facts), outcome.usage, makeshift)
        said = tuple(rewritten(one, outcome.texts.get(one.id, one.text)) for one in tidy.transcript.segments)
        better_said = tidy.transcript.model_copy(update={"segments": said})
        return Refined(better_said, None, warnings, dict(facts), outcome.usage, makeshift)

    def translate(self, work: ToTranslate) -> Sequence[str]:
        """Return one text for each segment; an empty one where the model gave no plausible translation."""
        lines = [line for line in map(_line, work.segments) if _says_something(line)]
        text = translating(work.source, work.target)
        task = Task(text, work.params.instructions, work.glossary, work.target)

        def accept(line: Line, text: str) -> bool:
            return translates(line.text, text)

        outcome = self.ask(lines, task, work.params, accept, work.progress)
        for warning in outcome.warnings("untranslated"):
            work.warn(warning)
        if makeshift := outcome.makeshift("untranslated"):
            work.makeshift(makeshift)
        outcome.usage.note(work.note, work.params)
        # What says nothing, a line of dots say, is the same in every language.
        return [outcome.texts.get(one.id, "" if _says_something(_line(one)) else one.text) for one in work.segments]

    def ask(
        self, lines: Sequence[Line], task: Task, params: LanguageModelParams, accept: Accept, progress: Progress
    ) -> Outcome:
        """Return new texts for the lines, as far as the model gives any. Raises `StageError` where the service
        refuses."""
        outcome, insistence = Outcome(), Insistence(self._model, params.attempts)
        windows = list(windows_of(lines, params))
        threads = ThreadPoolExecutor(min(params.at_once, self._at_once or params.at_once))
        done = 0
        try:
            asked = {threads.submit(_texts, window, task, insistence): window for window in windows}
            waiting: set[Future[_Given]] = set(asked)
            while waiting:
                finished, waiting = wait(waiting, _HEAR_EVERY_S, FIRST_COMPLETED)
                for future in finished:
                    window = asked[future]
                    _take(future, window, accept, outcome)
                    done += len(window.lines)
                progress(done / max(len(lines), 1))
        finally:
            insistence.stop()
            threads.shutdown(wait=False, cancel_futures=True)
        outcome.usage = insistence.usage
        return outcome


def _take(future: Future[_Given], window: Window, accept: Accept, outcome: Outcome) -> None:
    """Take the texts of a window, and count the lines that it left out."""
    texts, given_up = future.result()
    why = str(given_up) if given_up else "the model left them out, or its answers could not be used"
    if isinstance(given_up, Away):
        outcome.away = why
    for line in window.lines:
        if line.id not in texts:
            outcome.kept[why] += 1
        elif accept(line, texts[line.id]):
            outcome.texts[line.id] = texts[line.id]
        else:
            outcome.kept["the model changed more than it may"] += 1


def _texts(window: Window, task: Task, insistence: Insistence) -> _Given:
    """Return a window's texts; those of its halves where the answer to the window cannot be used."""

    def ask(part: Window) -> dict[int, str]:
        return insistence.ask(question(task, part), partial(read_answer, window=part))

    found: dict[int, str] = {}
    try:
        try:
            return ask(window), None
        except Unusable:
            pass
        for half in window.halves():
            with contextlib.suppress(Unusable):
                found |= ask(half)
    except GivenUp as error:
        return found, error
    return found, None


def _line(segment: Segment, draft: str | None = None) -> Line:
    return Line(segment.id, segment.text, segment.speaker, draft)


def _says_something(line: Line) -> bool:
    return any(map(str.isalnum, line.text))


def _translated(segment: TranslatedSegment, texts: dict[int, str]) -> TranslatedSegment:
    return segment.model_copy(update={"text": texts.get(segment.id, segment.text)})
