"""The command line: parse, dispatch, print, and turn every ending into an exit code.

Data goes to stdout, everything else to stderr. With `--json` stdout holds one document and nothing more:
`{format, command, status, data, errors}`, whatever happened once the command line was understood.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import traceback
from importlib import import_module
from typing import TextIO

from pipeline.base.display import guarded_streams, json_text
from pipeline.base.display_paths import shown
from pipeline.base.errors import EXIT_BUG, EXIT_INTERRUPTED, EXIT_OK, ReelError
from pipeline.cli.parser import parse

JSON_FORMAT = 1
_GOES_ON = "what was finished is kept, the same command goes on from there"
_KEEPS_NOTHING = {"stage", "plan", "doctor", "config"}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    with guarded_streams():
        return _run(arguments)


def _run(arguments: list[str] | None) -> int:
    parsed = parse(arguments)
    name = " ".join(part for part in (parsed.command, getattr(parsed, "action", None)) if part)
    debug = parsed.debug or bool(os.environ.get("REEL_DEBUG"))
    try:
        result = import_module(f"pipeline.cli.commands.{parsed.command}").execute(parsed)
        errors = [_error_data(error) for error in result.errors]
        _print(parsed, name, "ok" if result.exit_code == EXIT_OK else "failed", result.data, errors, result.text)
        return int(result.exit_code)
    except ReelError as error:
        if debug:
            traceback.print_exc()
        if parsed.json:
            _print(parsed, name, "failed", None, [_error_data(error)], "")
        describe(error, sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        if parsed.json:
            _print(
                parsed,
                name,
                "failed",
                None,
                [_error_data(ReelError("reel.interrupted", "the command was interrupted"))],
                "",
            )
        goes_on = "" if parsed.command in _KEEPS_NOTHING else f"; {_GOES_ON}"
        print(f"\ninterrupted{goes_on}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _let_go_of_stdout()
        return EXIT_OK
    except Exception as error:  # noqa: BLE001 - the other place that catches everything
        traceback.print_exc()
        if parsed.json:
            bug = ReelError("reel.bug", f"{type(error).__name__}: {error}")
            _print(parsed, name, "failed", None, [_error_data(bug)], "")
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


def _print(
    parsed: argparse.Namespace, name: str, status: str, data: object, errors: list[dict[str, str | None]], text: str
) -> None:
    try:
        if parsed.json:
            document = {"format": JSON_FORMAT, "command": name, "status": status, "data": data, "errors": errors}
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
