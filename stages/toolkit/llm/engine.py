"""Ask a language model for stages: windows of lines, several requests under way at once.

Where an answer cannot be used, the window is asked for once more in two halves. A line that is still missing, or whose
new text is implausible, stays as it was. When the service is away, all remaining lines stay as they were, the result is
marked as provisional, and the next run makes it again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial

from shared.language_model import LanguageModelParams
from stages.toolkit.llm.lines import (
    Accept,
    Line,
    Outcome,
    Progress,
    Task,
    Window,
    question,
    read_answer,
    windows_of,
)
from stages.toolkit.llm.service import Away, GivenUp, Insistence, LanguageModel, Unusable

_HEAR_EVERY_S = 0.25  # how often a job that waits looks whether it was cancelled

_Given = tuple[dict[int, str], GivenUp | None]
"""Texts by id, and why no more were asked for, where that is so."""


class LineAsker:
    """Asks a model for lines of text. It keeps nothing from one job to the next."""

    def __init__(self, model: LanguageModel, at_once: int | None = None) -> None:
        """Prepare the engine. `at_once` bounds the parallel requests that the user allows, for a model that computes
        here."""
        self._model, self._at_once = model, at_once

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
