"""The command line's grammar, made from the table of commands and flags.

A command's flags are imported when the command is named, so that `--help` answers before anything heavy is imported.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.cli.flag_values import with_waits_spelled_out
from pipeline.cli.options.commands import COMMANDS, GROUPS, Command, arguments_of

if TYPE_CHECKING:
    from pipeline.cli.options.declare import Arguments, Flag

DESCRIPTION = """\
Transcripts, translations and subtitles from the best open models, each in its own environment.

  ./reel run film.mkv                     subtitles in the spoken language, and film.mkv with them inside
  ./reel run film.mkv --to pt,en          and in Portuguese and English
  ./reel plan film.mkv                    what `run` would do, and why; writes nothing
"""
EPILOG = """\
exit codes: 0 ok, 1 failed, 2 usage, 3 some items of a batch failed, 4 bad input, 5 a model, environment or tool is
missing, 6 locked by another process, 70 a bug of ours, 130 interrupted
"""

Subparsers = argparse._SubParsersAction  # the class has no public name


def parse(arguments: Sequence[str] | None = None) -> tuple[Command, Arguments]:
    """Read a command line, by default this process's own. Returns the command and its arguments."""
    words = with_waits_spelled_out(sys.argv[1:] if arguments is None else arguments)
    parsed = build_parser(words[:2]).parse_args(words)
    command: Command = parsed.command
    declared = arguments_of(command)
    return command, declared(**{name: _frozen(value) for name, value in vars(parsed).items() if name != "command"})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def build_parser(words: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """Build the parser of the whole command line. Where the first words are given, only the command that they name
    gets its flags."""
    parser = argparse.ArgumentParser(
        prog="reel", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top = parser.add_subparsers(metavar="command", required=True)
    groups: dict[str, Subparsers[argparse.ArgumentParser]] = {}
    for command in COMMANDS:
        group, *rest = command.words
        commands = top
        if rest:
            if group not in groups:
                branch = top.add_parser(group, help=GROUPS[group], description=GROUPS[group])
                groups[group] = branch.add_subparsers(metavar="action", required=True)
            commands = groups[group]
        _add_command(commands, command, with_flags=words is None or tuple(words[: len(command.words)]) == command.words)
    return parser


def _add_command(commands: Subparsers[argparse.ArgumentParser], command: Command, *, with_flags: bool) -> None:
    examples = "\n".join(f"  ./{example}" for example in command.examples)
    leaf: argparse.ArgumentParser = commands.add_parser(
        command.words[-1], help=command.summary,
        description=f"{command.summary[0].upper()}{command.summary[1:]}\n\n{examples}\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    leaf.set_defaults(command=command)
    if with_flags:
        _add_flags(leaf, command)


def _add_flags(leaf: argparse.ArgumentParser, command: Command) -> None:
    from pipeline.cli.options.declare import GROUPS as FLAG_GROUPS
    from pipeline.cli.options.declare import flags_of

    flags = flags_of(arguments_of(command))
    used = {flag.group for flag in flags}
    groups = {name: leaf.add_argument_group(name) for name in FLAG_GROUPS if name in used}
    exclusive: dict[str, argparse._MutuallyExclusiveGroup] = {}
    for flag in flags:
        place: argparse._ActionsContainer = groups[flag.group]
        if flag.excludes:
            if flag.excludes not in exclusive:
                exclusive[flag.excludes] = groups[flag.group].add_mutually_exclusive_group()
            place = exclusive[flag.excludes]
        place.add_argument(*(flag.options or [flag.name]), **_keywords(flag))


def _keywords(flag: Flag) -> dict[str, Any]:
    """Return a flag as the keywords of `add_argument`."""
    keywords: dict[str, Any] = {"help": flag.help, "default": flag.default}
    if flag.options:
        keywords["dest"] = flag.name
    if flag.action == "switch":
        return keywords | {"action": "store_const", "const": True}
    if flag.action == "toggle":
        return keywords | {"action": argparse.BooleanOptionalAction}
    if flag.action == "append":
        keywords |= {"action": "append", "default": []}
    keywords |= {"metavar": flag.metavar, "type": flag.read, "choices": flag.choices}
    if flag.count:
        keywords["nargs"] = flag.count
    if flag.without_value:
        keywords["const"] = flag.without_value
    if flag.options and flag.required:
        keywords["required"] = True
    return keywords
