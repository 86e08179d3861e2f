"""Reporters show the events of a command to a user or a program, always on stderr."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, replace

from pipeline.base.display import one_line, readable
from pipeline.base.events import Emit, Event

_TEXTS = {"text", "message", "hint"}  # fields that may have several lines; every other field is a name


@contextlib.contextmanager
def open_reporter(kind: str) -> Iterator[Emit]:
    """Open the reporter of a kind. `auto` is bars and a live table on a terminal, and lines elsewhere. `none` shows
    notes and errors, `quiet` errors only: an error is never silenced."""
    if kind == "auto":
        kind = "bars" if sys.stderr.isatty() else "plain"
    if kind == "bars":
        from pipeline.cli.reporters.live_table import LiveTable  # rich takes a tenth of a second to import

        with LiveTable() as table:
            yield _escaping(table.emit)
    elif kind == "json":
        from pipeline.cli.reporters.json_lines import emit_json

        yield emit_json
    elif kind in {"plain", "verbose"}:
        from pipeline.cli.reporters.plain_lines import PlainLines

        yield _escaping(PlainLines(verbose=kind == "verbose").emit)
    else:
        from pipeline.cli.reporters.errors_only import errors_only

        yield _escaping(errors_only(notes=kind != "quiet"))


def _escaping(emit: Emit) -> Emit:
    """Return a function that passes events on to `emit` with their names and texts made safe for a terminal."""
    return lambda event: emit(escaped(event))


def escaped(event: Event) -> Event:
    """Return the event with all its texts safe for a terminal."""
    changed: dict[str, object] = {}
    for field in fields(event):
        value = getattr(event, field.name)
        safe = _escaped(value, readable if field.name in _TEXTS else one_line)
        if safe != value:
            changed[field.name] = safe
    return replace(event, **changed) if changed else event  # type: ignore[arg-type]


def _escaped(value: object, escape: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, tuple):
        return tuple(_escaped(item, escape) for item in value)
    if isinstance(value, dict):
        return {_escaped(name, escape): _escaped(item, escape) for name, item in value.items()}
    return value
