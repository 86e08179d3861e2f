"""Parses a command line by the table of commands and the flags that each command declares.

The flags of a command are imported when the command is named, so that `--help` answers before anything heavy is
imported.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from pipeline.cli import usage_errors
from pipeline.cli.flag_values import with_explicit_waits
from pipeline.cli.options.commands import COMMANDS, Command, arguments_of, command_named

if TYPE_CHECKING:
    from pipeline.cli.options.declare import Arguments, Flag

_WIDTH = 80

_CONFLICT = "not allowed with argument "  # argparse's own words, before the name


def parse(words: Sequence[str]) -> tuple[Command, Arguments]:
    """Read a command line. Returns the command and its arguments; raises `CommandLineError`."""
    command = command_named(words)
    if command is None:
        raise usage_errors.unknown_command(words)
    parser = command_parser(command)
    rest = with_explicit_waits(words[len(command.words) :])
    try:
        parsed, surplus = parser.parse_known_intermixed_args(rest)
    except argparse.ArgumentError as error:
        raise _translated(command, error.argument_name or "", str(error.message)) from error
    if surplus:
        raise _surplus_error(command, surplus)
    if missing := _missing(command, parsed):
        raise usage_errors.missing_words(command.name, missing, usage_of(command))
    return command, arguments_of(command)(**{name: _frozen(value) for name, value in vars(parsed).items()})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _missing(command: Command, parsed: argparse.Namespace) -> list[str]:
    """Return how the required arguments and flags that were not given are written."""
    from pipeline.cli.options.declare import flags_of

    flags = [flag for flag in flags_of(arguments_of(command)) if flag.required and not getattr(parsed, flag.name)]
    return [flag.spellings[-1] for flag in flags]


def _translated(command: Command, flag: str, message: str) -> usage_errors.CommandLineError:
    """Return argparse's message about a flag as an error in our words."""
    name = f"`{flag}`"
    if message.startswith("expected"):
        message = f"{name} needs a value"
    elif message.startswith(_CONFLICT):
        message = f"{name} and `{message.removeprefix(_CONFLICT)}` exclude each other"
    elif flag:
        message = f"{name}: {message}"
    return usage_errors.refused(command.name, message, usage_of(command))


def _surplus_error(command: Command, surplus: Sequence[str]) -> usage_errors.CommandLineError:
    """Return the error about words that argparse could not place: an unknown flag, or one argument too many."""
    if flag := next((word for word in surplus if word.startswith("-") and word != "--"), None):
        known = {other.name: _options_of(other) for other in COMMANDS}
        return usage_errors.unknown_flag(command.name, flag, known, usage_of(command))
    return usage_errors.surplus_word(command.name, surplus[0], usage_of(command))


def _options_of(command: Command) -> list[str]:
    """Return all flags that a command takes, as `-o` and `--output`."""
    from pipeline.cli.options.declare import flags_of

    spellings = (spelling for flag in flags_of(arguments_of(command)) for spelling in flag.spellings)
    return ["--help", *(spelling.split()[0] for spelling in spellings)]


class _Parser(argparse.ArgumentParser):
    """A parser of one command that raises its errors."""

    def __init__(self, command: Command, description: str) -> None:
        super().__init__(
            prog=f"reel {command.name}", usage=usage_of(command), description=description, add_help=False,
            allow_abbrev=False, exit_on_error=False, formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        self._command = command

    def error(self, message: str) -> NoReturn:
        """Raise the error that argparse would print."""
        raise usage_errors.refused(self._command.name, message, usage_of(self._command))


def command_parser(command: Command) -> argparse.ArgumentParser:
    """Return the parser of one command, with its help."""
    examples = "\n".join(f"  ./{example}" for example in command.examples)
    summary = textwrap.fill(f"{command.summary[0].upper()}{command.summary[1:]}", _WIDTH)
    parser = _Parser(command, description=f"{summary}\n\n{examples}\n")
    add_flags(parser, command)
    return parser


def add_flags(parser: argparse.ArgumentParser, command: Command) -> list[tuple[Flag, argparse.Action]]:
    """Add the flags of a command to a parser, in their groups. Returns each with its action."""
    from pipeline.cli.options.declare import GROUPS, SHOW, flags_of

    added = []
    flags = flags_of(arguments_of(command))
    used = {flag.group for flag in flags}
    groups = {name: parser.add_argument_group(name) for name in GROUPS if name in used}
    exclusive: dict[str, argparse._MutuallyExclusiveGroup] = {}
    for flag in flags:
        place: argparse._ActionsContainer = groups[flag.group]
        if flag.excludes:
            if flag.excludes not in exclusive:
                exclusive[flag.excludes] = groups[flag.group].add_mutually_exclusive_group()
            place = exclusive[flag.excludes]
        added.append((flag, place.add_argument(*(flag.options or [flag.name]), **_keywords(flag, command))))
    groups[SHOW].add_argument("-h", "--help", action="help", help="show this help and exit")
    return added


def _keywords(flag: Flag, command: Command) -> dict[str, Any]:
    """Return a flag as the keywords of `add_argument`."""
    keywords: dict[str, Any] = {"help": flag.help.replace("%", "%%"), "default": flag.default}
    if flag.options:
        keywords["dest"] = flag.name
    if flag.action == "switch":
        return keywords | {"action": "store_const", "const": True if flag.value is None else flag.value}
    if flag.action == "toggle":
        return keywords | {"action": argparse.BooleanOptionalAction}
    if flag.action == "append":
        keywords |= {"action": "append", "default": []}
    keywords["metavar"] = flag.metavar or "{" + ",".join(flag.choices) + "}"
    if flag.read or flag.choices:
        keywords["type"] = _reader(flag, command)
    if flag.options:
        keywords["nargs"] = flag.count or None
    else:  # optional for argparse, so that a wrong flag is reported before a missing argument
        keywords["nargs"] = {"": "?", "+": "*"}.get(flag.count, flag.count)
    if flag.options and flag.value is not None:
        keywords["const"] = flag.value
    return keywords


def _reader(flag: Flag, command: Command) -> Callable[[str], object]:
    """Return a function that reads a flag's value, or raises `CommandLineError`, which argparse does not catch."""
    name = flag.options[-1] if flag.options else str(flag.metavar)

    def read(word: str) -> object:
        if flag.choices and word not in flag.choices:
            raise usage_errors.wrong_value(name, word, "", flag.choices, usage_of(command))
        try:
            return flag.read(word) if flag.read else word
        except ValueError as error:
            raise usage_errors.wrong_value(name, word, str(error), (), usage_of(command)) from error

    return read


def usage_of(command: Command) -> str:
    """Return how a command is written: its arguments and the flags that it needs."""
    from pipeline.cli.options.declare import flags_of

    flags = flags_of(arguments_of(command))
    needed = [f"{flag.options[0]} {flag.metavar}" for flag in flags if flag.options and flag.required]
    optional = {"*": "[{}...]", "?": "[{}]", "+": "{}...", "": "{}"}
    words = [optional[flag.count].format(flag.metavar) for flag in flags if not flag.options]
    return " ".join(["reel", command.name, *words, *needed, "[FLAGS]"])
