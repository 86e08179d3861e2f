"""The command line: parse, dispatch, print, and turn every ending into an exit code.

Data goes to stdout, everything else to stderr. With `--json` stdout holds one document and nothing more:
`{format, command, status, data, errors}`, whatever happened once the command line was understood.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, TextIO

from pipeline.base.display import guarded_streams, json_text
from pipeline.base.display_paths import shown
from pipeline.base.errors import EXIT_BUG, EXIT_INTERRUPTED, EXIT_OK, ReelError
from pipeline.cli.parser import parse

if TYPE_CHECKING:
    from pipeline.cli.options.commands import Command
    from pipeline.cli.options.declare import Arguments

JSON_FORMAT = 1
_GOES_ON = "what was finished is kept, the same command goes on from there"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    with guarded_streams():
        return _run(arguments)


def _run(words: list[str] | None) -> int:
    command, arguments = parse(words)
    debug = arguments.debug or bool(os.environ.get("REEL_DEBUG"))
    try:
        module, _, function = command.function.partition(".")
        result = getattr(import_module(f"pipeline.cli.commands.{module}"), function)(arguments)
        status = "ok" if result.exit_code == EXIT_OK else "failed"
        _print(arguments, command, status, result.data, result.errors, result.text)
        return int(result.exit_code)
    except ReelError as error:
        if debug:
            traceback.print_exc()
        _print_failure(arguments, command, error)
        describe(error, sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        _print_failure(arguments, command, ReelError("reel.interrupted", "the command was interrupted"))
        goes_on = f"; {_GOES_ON}" if command.resumes else ""
        print(f"\ninterrupted{goes_on}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _let_go_of_stdout()
        return EXIT_OK
    except Exception as error:  # noqa: BLE001 - the other place that catches everything
        traceback.print_exc()
        _print_failure(arguments, command, ReelError("reel.bug", f"{type(error).__name__}: {error}"))
        print(f"\nerror: a bug of reel: {type(error).__name__}: {error} [reel.bug]", file=sys.stderr)
        return EXIT_BUG


def describe(error: ReelError, stream: TextIO) -> None:
    """Return an error as text: the cause, the way out, and where to look."""
    print(f"error: {error.message} [{error.code}]", file=stream)
    if error.hint:
        print(f"\nhint: {error.hint}", file=stream)
    if error.log:
        print(f"log: {shown(error.log)}", file=stream)


def _error_data(error: ReelError) -> dict[str, str | None]:
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "log": str(error.log) if error.log else None,
    }


def _print_failure(arguments: Arguments, command: Command, error: ReelError) -> None:
    if arguments.json:
        _print(arguments, command, "failed", None, [error], "")


def _print(
    arguments: Arguments, command: Command, status: str, data: object, errors: Sequence[ReelError], text: str
) -> None:
    try:
        if arguments.json:
            told = [_error_data(error) for error in errors]
            document = {"format": JSON_FORMAT, "command": command.name, "status": status, "data": data, "errors": told}
            print(json_text(document, sys.stdout, indent=1))
        elif text:
            print(text.rstrip("\n"))
        sys.stdout.flush()
    except BrokenPipeError:  # the exit code stays that of the command
        _let_go_of_stdout()


def _let_go_of_stdout() -> None:
    """Send what is still to be written to nowhere: the reader of a pipe has gone, as in `reel runs list | head`."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
