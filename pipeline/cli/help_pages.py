"""The help pages of all commands together and of groups of commands, made without importing a command's flags."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from pipeline.base.launcher import REEL
from pipeline.cli.options.commands import COMMANDS, GROUPS, command_named

_FIRST = (
    ("run film.mkv", "subtitles in the spoken language, and film.mkv"),
    ("", "with them inside"),
    ("run film.mkv --to pt,en", "and in Portuguese and English"),
    ("plan film.mkv", "what `run` would do, and why; writes nothing"),
)
OVERVIEW = (
    "Transcripts, translations and subtitles from the best open models, each in its\nown environment.\n\n"
    + "".join(f"  {f'{REEL} {words}' if words else '':<32}{text}\n" for words, text in _FIRST)
)
_LAST = """\
`./reel help COMMAND` shows the flags of a command.

exit codes: 0 ok, 1 failed, 2 usage, 3 some items of a batch failed, 4 bad
input, 5 a model, environment or tool is missing, 6 locked by another process,
70 a bug of ours, 130 interrupted"""
_WIDTH = 80
_NAMES = 12  # columns for the names of commands


def overview() -> str:
    """Return the page of `reel --help`."""
    rows: dict[str, str] = {}
    for command in COMMANDS:
        first, *rest = command.words
        rows.setdefault(first, f"{GROUPS[first]}: {', '.join(_actions(first))}" if rest else command.summary)
    return f"usage: reel COMMAND [ARGUMENTS] [FLAGS]\n\n{OVERVIEW}\ncommands:\n{_listed(rows)}\n\n{_LAST}"


def group_page(group: str) -> str:
    """Return the page of a group of commands, such as that of `reel models --help`."""
    commands = [command for command in COMMANDS if command.words[0] == group]
    rows = {command.words[1]: command.summary for command in commands}
    examples = "\n".join(f"  ./{example}" for command in commands[:3] for example in command.examples[:1])
    head = f"usage: reel {group} COMMAND [ARGUMENTS] [FLAGS]\n\n{GROUPS[group][0].upper()}{GROUPS[group][1:]}"
    return f"{head}\n\n{examples}\n\ncommands:\n{_listed(rows)}\n\n`./reel help {group} COMMAND` shows its flags."


def quick_page(words: Sequence[str]) -> str | None:
    """Return the page for words such as `--help`, `help models` or `run --help`, without importing a command; None for
    other words."""
    asked = [*words[1:], "--help"] if words[:1] == ["help"] else [*words]
    if asked[-1:] not in (["-h"], ["--help"]):
        return None
    match asked[:-1]:
        case []:
            return overview()
        case [group] if group in GROUPS:
            return group_page(group)
        case [*named] if (command := command_named(named)) and tuple(named) == command.words:
            from pipeline.cli.parser import command_parser  # imports the flags of this command

            return command_parser(command).format_help()
    return None


def _actions(group: str) -> list[str]:
    return [command.words[1] for command in COMMANDS if command.words[0] == group]


def _listed(rows: dict[str, str]) -> str:
    lines = []
    for name, text in rows.items():
        lines += textwrap.wrap(text, _WIDTH, initial_indent=f"  {name:<{_NAMES}}", subsequent_indent=" " * (_NAMES + 2))
    return "\n".join(lines)
