"""The command line: parse the words, run one command, print its result, and return an exit code.

Data goes to stdout, everything else to stderr. With `--json`, stdout holds exactly one document,
`{format, command, status, data, errors}`, also for a wrong command line.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple, TextIO

from pipeline.base.display import discard, guarded_streams, json_text
from pipeline.base.errors import EXIT_BUG, EXIT_INTERRUPTED, EXIT_OK, ReelError, UsageError
from pipeline.base.launcher import as_called
from pipeline.cli.failure_lines import lines_below
from pipeline.cli.help_pages import quick_page
from pipeline.cli.options.commands import command_named
from pipeline.cli.own_libraries import missing_library
from pipeline.cli.parser import parse
from pipeline.cli.system_refusal import system_refusal
from pipeline.cli.usage_errors import CommandLineError

JSON_FORMAT = 1
_RESUMES = "what was finished is kept, the same command goes on from there"
_STAGES_ALIASES = {("stage", "new"), ("stage", "new-backend")}  # for `stages new`; no stage can have these names
_VERSION, _HELP = {"--version", "-V"}, {"--help", "-h"}


class _Call(NamedTuple):
    """How to answer this call. Known before the command line is parsed, so that it also holds for parser errors."""

    name: str
    as_json: bool
    debug: bool
    resumes: bool


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    words = _without_shorthand(sys.argv[1:] if arguments is None else arguments)
    with guarded_streams():
        if (page := quick_page(words)) is not None:
            return _show_page(page)
        return _run(words)


def _show_page(page: str) -> int:
    try:
        _write_stdout(as_called(page))
    except ReelError as error:
        describe(error, sys.stderr)
        return error.exit_code
    return EXIT_OK


def _without_shorthand(words: Sequence[str]) -> Sequence[str]:
    """Replace `--version`, and `--help` among the flags of a command, by the command that they stand for."""
    if words and words[0] in _VERSION:
        return ["version", *words[1:]]
    if tuple(words[:2]) in _STAGES_ALIASES:
        words = ["stages", *words[1:]]
    command = command_named(words)
    if not command or not _HELP & set(_flags(words)):
        return words
    if command.name == "stage" and not words[1].startswith("-"):  # each stage has its own inputs and parameters
        return ["stages", "show", words[1], *(["--json"] if "--json" in _flags(words) else [])]
    return ["help", *command.words]


def _flags(words: Sequence[str]) -> Sequence[str]:
    return words[: words.index("--")] if "--" in words else words


def _run(words: Sequence[str]) -> int:
    call = _call_of(words)
    try:
        _require_current_folder()
        command, arguments = parse(words)
        _choose_project(arguments.project)
        module, _, function = command.function.partition(".")
        result = getattr(import_module(f"pipeline.cli.commands.{module}"), function)(arguments)
        status = "ok" if result.exit_code == EXIT_OK else "failed"
        _print_result(call, status, result.data, result.errors, result.text)
        return int(result.exit_code)
    except ReelError as error:
        return _fail(call, error)
    except KeyboardInterrupt:
        _print_failure(call, ReelError("reel.interrupted", "the command was interrupted"))
        advice = f"; {_RESUMES}" if call.resumes else ""
        print(f"\ninterrupted{advice}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        discard(sys.stdout)
        return EXIT_OK
    except Exception as error:  # noqa: BLE001 - one of the two places that catch everything
        if known := missing_library(error) or system_refusal(error):
            return _fail(call, known)
        traceback.print_exc()
        _print_failure(call, ReelError("reel.bug", f"{type(error).__name__}: {error}"))
        print(f"\nerror: a bug of reel: {type(error).__name__}: {error} [reel.bug]", file=sys.stderr)
        return EXIT_BUG


def _fail(call: _Call, error: ReelError) -> int:
    """Report the error that ends the command; returns its exit code."""
    if call.debug:
        traceback.print_exc()
    _print_failure(call, error)
    describe(error, sys.stderr)
    return error.exit_code


def _require_current_folder() -> None:
    """Raise `UsageError` if the current folder was deleted: relative paths start there."""
    try:
        os.getcwd()  # noqa: PTH109 - the path is not needed
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError("usage.folder", f"there is no current folder: {why}", hint="`cd` to another one") from error


def _choose_project(folder: str | None) -> None:
    from pipeline.base.project import choose_project  # it imports the settings, which a help page does not need

    choose_project(folder)


def _call_of(words: Sequence[str]) -> _Call:
    command, flags = command_named(words), _flags(words)
    debug = "--debug" in flags or bool(os.environ.get("REEL_DEBUG"))
    return _Call(command.name if command else "", "--json" in flags, debug, bool(command and command.resumes))


def describe(error: ReelError, stream: TextIO) -> None:
    """Print an error: the cause, the way out, and where to look."""
    print(f"error: {error.message} [{error.code}]", file=stream)
    if error.hint:
        print(file=stream)
    for line in lines_below(error):
        print(line, file=stream)
    if isinstance(error, CommandLineError):
        print(f"usage: {error.usage}", file=stream)


def _error_data(error: ReelError) -> dict[str, str | None]:
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "log": str(error.log) if error.log else None,
    }


def _print_failure(call: _Call, error: ReelError) -> None:
    if call.as_json:
        _print_result(call, "failed", None, [error], "")


def _print_result(call: _Call, status: str, data: object, errors: Sequence[ReelError], text: str) -> None:
    if call.as_json:
        error_data = [_error_data(error) for error in errors]
        document = {
            "format": JSON_FORMAT,
            "command": call.name,
            "status": status,
            "data": data,
            "errors": error_data,
        }
        _write_stdout(json_text(document, sys.stdout, indent=1))
    elif text:
        _write_stdout(as_called(text).rstrip("\n"))


def _write_stdout(text: str) -> None:
    """Print to stdout. Raises `ReelError` if that fails; a pipe whose reader has gone is not an error."""
    try:
        print(text)
        sys.stdout.flush()
    except BrokenPipeError:  # the exit code stays that of the command
        discard(sys.stdout)
    except OSError as error:
        discard(sys.stdout)
        raise ReelError(
            "output.unwritable",
            f"standard output cannot be written: {error.strerror or error}",
            hint="send it elsewhere; files that the command has written are kept",
        ) from error
