"""One line an event; readable in a pipe, in a log and without colour."""

from __future__ import annotations

import sys
import textwrap

from pipeline import events
from pipeline.events import Event
from pipeline.paths import shown
from shared.stage import Fact
from shared.timecode import clock, span

_FACTS_SHOWN = 3
_LEAST_RATED_S = 0.5  # the rate of something shorter says nothing
_REASON_LENGTH = 70  # `reel plan` shows all of it


def emit_line(event: Event) -> None:
    """Print what a person wants to know of an event."""
    if (line := line_of(event)) is not None:
        print(line, file=sys.stderr, flush=True)


def line_of(event: Event) -> str | None:
    """The event as a line; None for those that only move a bar."""
    match event:
        case events.SetupStarted(what, size):
            return f"setting up {what}{f' ({size / 1e6:.0f} MB)' if size else ''}"
        case events.SetupFinished(what, seconds):
            return f"set up {what} in {span(seconds)}"
        case events.ItemStarted(item):
            return item
        case events.StepStarted(_, step, backend, reason):
            return f"  {step:<22} {backend:<18}started   {textwrap.shorten(reason, _REASON_LENGTH, placeholder=' ...')}"
        case events.StepReused(_, step, backend, key):
            return f"  {step:<22} {backend:<18}reused    {key[:8]}"
        case events.StepDone():
            return f"  {event.step:<22} {event.backend:<18}done      {measured(event)}"
        case events.StepFailedEvent(_, step, backend, code, message, hint, log):
            below = [f"hint: {hint}"] * bool(hint) + ([f"log: {shown(log)}"] if log else [])
            tail = "".join(f"\n  {'':<22} {text}" for text in below)
            return f"  {step:<22} {backend:<18}failed    {message} [{code}]{tail}"
        case events.StepSkipped(_, step):
            return f"  {step:<22} {'':<18}skipped   a step before it failed"
        case events.Notice(_, step, text):
            return f"  {step:<22} note: {text}" if step else f"note: {text}"
        case events.ItemFinished(item, state, seconds, folder):
            return f"{item}: {state} in {span(seconds)}{f', in {shown(folder)}' if folder else ''}"
        case _:
            return None


def measured(event: events.StepDone) -> str:
    """How long a step took, that against the media's length, and the first facts it noted."""
    parts = [span(event.seconds)]
    if event.media_ms and event.seconds >= _LEAST_RATED_S:
        parts.append(f"{event.media_ms / 1000 / max(event.seconds, 0.001):.1f}x real time of {clock(event.media_ms)}")
    parts += [_fact(name, value) for name, value in list(event.facts.items())[:_FACTS_SHOWN] if value is not None]
    return ", ".join(parts)


def _fact(name: str, value: Fact) -> str:
    words = name.replace("_", " ")
    if isinstance(value, bool):
        return words if value else f"not {words}"
    return f"{words} {value:.3g}" if isinstance(value, float) else f"{words} {value}"
