"""Prints errors as lines, for a command whose progress is not shown, and with them the notes for the user if wanted."""

from __future__ import annotations

import sys

from pipeline.base import events
from pipeline.base.events import Emit, Event
from pipeline.cli.failure_lines import lines_below
from pipeline.cli.reporters.plain_lines import line_of


def errors_only(*, notes: bool) -> Emit:
    """Return a reporter that prints each failed step, and with `notes` also each notice."""

    def emit(event: Event) -> None:
        if isinstance(event, events.StepFailedEvent):
            print(_failure(event), file=sys.stderr, flush=True)
        elif notes and isinstance(event, events.Notice):
            name = f"{event.item}: " if event.item else ""
            print(f"{name}{(line_of(event) or '').strip()}", file=sys.stderr, flush=True)

    return emit


def _failure(event: events.StepFailedEvent) -> str:
    head = f"error: {event.item}: {event.step}: {event.message} [{event.code}]"
    return "\n".join([head, *lines_below(event, event.again)])
