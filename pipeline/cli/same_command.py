"""Write a command again for one file and one step, with the flags that a user gave it."""

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

_OF_BATCHES = frozenset({"manifest", "order", "limit", "retry_failed", "keep_going", "fail_fast", "continuing"})
_OF_STEPS = frozenset({"from_step", "until", "only", "force"})


def offering_again(arguments: RunMedia, emit: Emit) -> Emit:
    """Return a function that passes events on; a failed step gets the command that repeats it.

    With a list of files, that command is not known: a file may have settings of its own there.
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
    """Return the flags that were given, as one would write them, but for those that concern several files."""
    words: list[str] = []
    for flag in flags_of(type(arguments)):
        value = getattr(arguments, flag.name)
        if flag.options and value != flag.default and flag.name not in _OF_BATCHES | _OF_STEPS:
            words += _written(flag, value)
    return shlex.join(words)


def _written(flag: Flag, value: object) -> list[str]:
    option = next((spelling for spelling in flag.options if spelling.startswith("--")), flag.options[0])
    if flag.action == "toggle":
        return [option if value else option.replace("--", "--no-", 1)]
    if flag.action == "switch":
        return [option]
    if isinstance(value, tuple):
        return (
            [part for spelling in value for part in (option, str(spelling))]
            if flag.action == "append"
            else [option, ",".join(map(str, value))]
        )
    return [option, str(value)]
