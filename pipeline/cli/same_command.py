"""Writes the command that repeats one step of one file, with the flags that the user gave."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

from pipeline.base import events
from pipeline.base.display_paths import shown
from pipeline.base.events import Emit, Event
from pipeline.base.launcher import REEL
from pipeline.cli.options.declare import Arguments, Flag, flags_of
from pipeline.cli.options.jobs import RunMedia

_BATCH_FLAGS = frozenset({"manifest", "order", "limit", "retry_failed", "keep_going", "fail_fast", "continuing"})
_STEP_FLAGS = frozenset({"from_step", "until", "only", "force"})


def offering_again(arguments: RunMedia, emit: Emit) -> Emit:
    """Return a function that passes events on to `emit`, and adds to each failed step the command that repeats it.

    With `--manifest` there is no such command: a file in a list may have settings of its own.
    """
    if arguments.manifest:
        return emit
    media: dict[str, Path] = {}

    def offer(event: Event) -> None:
        if isinstance(event, events.ItemStarted):
            media[event.item] = event.media
        elif isinstance(event, events.ItemFinished):
            media.pop(event.item, None)
        elif isinstance(event, events.StepFailedEvent) and event.log:
            command = f"{REEL} run {shlex.quote(_argument(media[event.item]))} {_flags(arguments)}"
            event = dataclasses.replace(event, again=f"{command.strip()} --only {event.step}")
        emit(event)

    return offer


def _argument(media: Path) -> str:
    text = shown(media)
    return f"./{text}" if text.startswith("-") else text


def _flags(arguments: Arguments) -> str:
    """Return the given flags as a user writes them, without those for batches and for the selection of steps."""
    words: list[str] = []
    for flag in flags_of(type(arguments)):
        value = getattr(arguments, flag.name)
        if flag.options and value != flag.default and flag.name not in _BATCH_FLAGS | _STEP_FLAGS:
            words += _words_of(flag, value)
    return shlex.join(words)


def _words_of(flag: Flag, value: object) -> list[str]:
    """Return a flag with its value as words of a command line."""
    option = next((spelling for spelling in flag.options if spelling.startswith("--")), flag.options[0])
    if flag.action == "toggle":
        return [option if value else option.replace("--", "--no-", 1)]
    if flag.action == "switch":
        return [option]
    if flag.action == "append" and isinstance(value, tuple):
        return [word for part in value for word in (option, str(part))]
    return [option, ",".join(map(str, value)) if isinstance(value, tuple) else str(value)]
