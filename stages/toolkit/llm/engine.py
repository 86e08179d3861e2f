"""Ask a language model for new texts of lines, in windows, with several requests at the same time.

If an answer cannot be used, the window is asked for once more in two halves. A line that is still missing, or whose new
text is implausible, stays as it was. If the service becomes unavailable, all remaining lines stay as they were, and the
result is provisional: the next run makes it again.
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
from stages.toolkit.llm.service import GaveUp, LanguageModel, RetryingModel, ServiceUnavailable, UnusableAnswer

_POLL_S = 0.25  # how often a waiting job reports progress, and so notices that it was cancelled

_Given = tuple[dict[int, str], GaveUp | None]
"""Texts by id, and the reason if the requests were given up."""


class LineAsker:
    """Asks a model for new texts of lines. It keeps nothing from one job to the next."""

    def __init__(self, model: LanguageModel, at_once: int | None = None) -> None:
        """Prepare the engine. `at_once` limits the parallel requests of a model that runs on this machine."""
        self._model, self._at_once = model, at_once

    def ask(
        self, lines: Sequence[Line], task: Task, params: LanguageModelParams, accept: Accept, progress: Progress
    ) -> Outcome:
        """Return new texts for the lines, as far as the model gives any. Raises `StageError` if the service refuses a
        request."""
        outcome, retrying = Outcome(), RetryingModel(self._model, params.attempts)
        windows = list(windows_of(lines, params))
        threads = ThreadPoolExecutor(min(params.at_once, self._at_once or params.at_once))
        done = 0
        try:
            asked = {threads.submit(_texts, window, task, retrying): window for window in windows}
            waiting: set[Future[_Given]] = set(asked)
            while waiting:
                finished, waiting = wait(waiting, _POLL_S, FIRST_COMPLETED)
                for future in finished:
                    window = asked[future]
                    _take(future, window, accept, outcome)
                    done += len(window.lines)
                progress(done / max(len(lines), 1))
        finally:
            retrying.stop()
            threads.shutdown(wait=False, cancel_futures=True)
        outcome.usage = retrying.usage
        return outcome


def _take(future: Future[_Given], window: Window, accept: Accept, outcome: Outcome) -> None:
    """Add the accepted texts of a window to the outcome, and count the other lines by reason."""
    texts, given_up = future.result()
    reason = str(given_up) if given_up else "the model left them out, or its answers could not be used"
    if isinstance(given_up, ServiceUnavailable):
        outcome.passing = reason
    for line in window.lines:
        if line.id not in texts:
            outcome.kept[reason] += 1
        elif accept(line, texts[line.id]):
            outcome.texts[line.id] = texts[line.id]
        else:
            outcome.kept["the model changed more than it may"] += 1


def _texts(window: Window, task: Task, retrying: RetryingModel) -> _Given:
    """Return the texts of a window, or those of its halves if the answer to the window cannot be used."""

    def ask(part: Window) -> dict[int, str]:
        return retrying.ask(question(task, part), partial(read_answer, window=part))

    found: dict[int, str] = {}
    try:
        try:
            return ask(window), None
        except UnusableAnswer:
            pass
        for half in window.halves():
            with contextlib.suppress(UnusableAnswer):
                found |= ask(half)
    except GaveUp as error:
        return found, error
    return found, None
