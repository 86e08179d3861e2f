"""Completes command lines in a shell, by argcomplete: the shell calls `reel` with the line typed so far and gets the
words that fit."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

from argcomplete.completers import DirectoriesCompleter, FilesCompleter
from argcomplete.finders import CompletionFinder
from argcomplete.shell_integration import shellcode

from pipeline.base.launcher import INSTALLED
from pipeline.base.project import CODE_ROOT
from pipeline.cli.known_names import backends, names_of_kind
from pipeline.cli.options.commands import COMMANDS, GROUPS, Command
from pipeline.cli.options.declare import Flag
from pipeline.cli.parser import add_flags

ASKED = "_ARGCOMPLETE"  # the variable that the shell sets; `pipeline.__main__` and the wrapper name it too
Subparsers = argparse._SubParsersAction  # the class has no public name
_Completer = Callable[..., Iterable[str]]


def shell_code(shell: str) -> str:
    """Return the code that makes a shell complete `reel`. In bash and zsh it calls the `reel` that is typed."""
    script = shlex.quote(str(CODE_ROOT / "reel")) if shell == "fish" and not INSTALLED else None
    return shellcode(["reel"], shell=shell, argcomplete_script=script)


def complete(end: Callable[[int], Any] = os._exit, stream: TextIO | None = None) -> None:
    """Answer the shell that asks, and end the process by `end`. Does nothing if no shell asks."""
    words = os.environ.get("COMP_LINE", "").split()[1:]
    CompletionFinder()(completion_parser(words), always_complete_options="long", exit_method=end, output_stream=stream)


def completion_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser of all commands. Only the command that the words begin with has its flags."""
    parser = _Parser(prog="reel")
    parser.add_argument("--help", action="store_true", help="show all commands")
    parser.add_argument("--version", action="store_true", help="show the version of reel")
    top = parser.add_subparsers(parser_class=_Parser)
    groups: dict[str, Subparsers[_Parser]] = {}
    for command in COMMANDS:
        place = top
        if len(command.words) > 1:
            group = command.words[0]
            if group not in groups:
                groups[group] = top.add_parser(group, help=GROUPS[group]).add_subparsers(parser_class=_Parser)
            place = groups[group]
        subparser = place.add_parser(command.words[-1], help=command.summary)
        if tuple(words[: len(command.words)]) == command.words:
            _add_flags(subparser, command)
    return parser


class _Parser(argparse.ArgumentParser):
    """A parser without argparse's own flags."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**{**keywords, "add_help": False, "allow_abbrev": False})


def _add_flags(subparser: argparse.ArgumentParser, command: Command) -> None:
    for flag, action in add_flags(subparser, command):
        action.type = None  # a half typed value is not an error
        if not flag.options:
            action.nargs = flag.count or None  # otherwise argcomplete also offers the next argument's names
        action.completer = _completer(flag)  # type: ignore[attr-defined]


def _completer(flag: Flag) -> _Completer:
    """Return the function that offers values for a flag."""
    if flag.kind == "file":
        return FilesCompleter()
    if flag.kind == "folder":
        return DirectoriesCompleter()

    def names(prefix: str, parsed_args: argparse.Namespace, **more: object) -> Sequence[str]:
        if flag.kind == "backend":
            return backends(getattr(parsed_args, "name", None))
        found = flag.choices or names_of_kind(flag.kind)
        begun = prefix.rpartition(",")[0] if flag.kind == "language" else ""  # `--to pt,e`
        return [f"{begun},{name}" for name in found] if begun else list(found)

    return names
