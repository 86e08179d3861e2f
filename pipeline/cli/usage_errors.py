"""Errors of the command line. Each says what is wrong, names the nearest correct word, and shows the usage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.base.errors import UsageError
from pipeline.cli.options.commands import COMMANDS, GROUPS
from shared.nearest import nearest

ANY_USAGE = "reel COMMAND [ARGUMENTS] [FLAGS]"
_FEW = 3  # commands in a hint


class CommandLineError(UsageError):
    """An error of the command line. `usage` shows how the command is written."""

    def __init__(self, code: str, message: str, *, hint: str, usage: str) -> None:
        super().__init__(code, message, hint=hint)
        self.usage = usage


def unknown_command(words: Sequence[str]) -> CommandLineError:
    """Return the error for words that name no command: `rnu`, `models fetsh`, or `models` alone."""
    first = words[0]
    if first.startswith("-"):
        return CommandLineError(
            "usage.flag", f"`reel` takes no flag `{first}` before a command",
            hint="flags come after the command: `./reel run film.mkv --offline`", usage=ANY_USAGE,
        )  # fmt: skip
    if first in GROUPS:
        return _unknown_action(first, words[1] if len(words) > 1 else "")
    every = {command.words[-1]: command.name for command in COMMANDS} | {name: name for name in GROUPS}
    near = nearest(first, every)
    more = "`./reel --help` lists the commands"
    hint = f"did you mean `./reel {every[near]}`? {more}" if near else more
    return CommandLineError("usage.command", f"there is no command `{first}`", hint=hint, usage=ANY_USAGE)


def _unknown_action(group: str, action: str) -> CommandLineError:
    actions = [command.words[1] for command in COMMANDS if command.words[0] == group]
    usage = f"reel {group} {'|'.join(actions)} [ARGUMENTS] [FLAGS]"
    more = f"`./reel {group} --help` says what each does"
    if not action:
        message = f"`reel {group}` is the beginning of {len(actions)} commands: it needs {_either(actions)}"
        return CommandLineError("usage.command", message, hint=more, usage=usage)
    near = nearest(action, actions)
    hint = f"did you mean `./reel {group} {near}`? {more}" if near else more
    return CommandLineError("usage.command", f"there is no command `{group} {action}`", hint=hint, usage=usage)


def _either(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]


def unknown_flag(command: str, word: str, known: Mapping[str, Sequence[str]], usage: str) -> CommandLineError:
    """Return the error for a flag that the command does not have. `known` are the flags of each command."""
    flag = word.partition("=")[0]
    others = [f"`reel {name}`" for name, flags in known.items() if flag in flags]
    bare = {spelling.lstrip("-"): spelling for spelling in known[command] if spelling.startswith("--")}
    begun = [name for name in bare if flag.startswith("--") and name.startswith(flag[2:])]
    near = begun[0] if len(begun) == 1 else nearest(flag.lstrip("-"), bare)
    more = f"`./reel {command} --help` lists its flags"
    if others:
        hint = f"`{flag}` is a flag of {', '.join(others[:_FEW])}; {more}"
    else:
        hint = f"did you mean `{bare[near]}`? {more}" if near else more
    return CommandLineError("usage.flag", f"`reel {command}` has no flag `{flag}`", hint=hint, usage=usage)


def surplus_word(command: str, word: str, usage: str) -> CommandLineError:
    """Return the error for one argument too many."""
    hint = f"leave it out; `./reel {command} --help` shows what the command takes"
    return CommandLineError("usage.surplus", f"`reel {command}` takes no `{word}` here", hint=hint, usage=usage)


def missing_words(command: str, names: Sequence[str], usage: str) -> CommandLineError:
    """Return the error for required arguments or flags that were not given."""
    hint = f"`./reel {command} --help` shows an example"
    needed = " and ".join(f"`{name}`" for name in names)
    return CommandLineError("usage.missing", f"`reel {command}` needs {needed}", hint=hint, usage=usage)


def wrong_value(flag: str, word: str, expected: str, choices: Sequence[str], usage: str) -> CommandLineError:
    """Return the error for a value that a flag cannot have. `choices` are its possible values, where these are few."""
    near = nearest(word, choices)
    message = f"`{flag}` cannot be `{word}`: expected {_either(choices) if choices else expected}"
    hint = f"did you mean `{near}`?" if near else "correct the value, or leave the flag out"
    return CommandLineError("usage.value", message, hint=hint, usage=usage)


def refused(command: str, reason: str, usage: str) -> CommandLineError:
    """Return the error for words that the parser rejects for another reason, such as a flag without its value."""
    hint = f"`./reel {command} --help` shows an example"
    return CommandLineError("usage.refused", f"`reel {command}`: {reason}", hint=hint, usage=usage)
