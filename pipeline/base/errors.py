"""The exception tree: a class for each reaction, a stable code for each cause.

ReelError                    exit 1
├── UsageError               exit 2   the command line or a setting is wrong
├── BadInput                 exit 4   a file the user gave cannot be used
│   ├── StageRefused                  a stage says so, with its own code
│   └── MediaChanged                  a media file is no longer what the run began with
├── Missing                  exit 5   a model, environment or tool is missing and could not be set up
├── Locked                   exit 6   another process is at work here
└── StepFailed               exit 1   a stage was run and did not deliver
    ├── StageRaised                   an unexpected exception
    ├── WorkerCrashed                 the process ended by itself: a native crash, or an exit
    ├── WorkerKilled                  a signal killed it: usually for lack of memory
    ├── WorkerLost                    its machine is gone; the step may succeed on another one
    ├── OutOfMemory                   the stage or the system says that memory ran out
    ├── CardFailed                    the card or its driver failed; the step may succeed on the processor
    ├── WorkerTimedOut                it took longer than its limit
    └── OutputsInvalid                it reports success, but its outputs are not valid
"""

from __future__ import annotations

from pathlib import Path

from pipeline.base.launcher import as_called

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_SOME_FAILED, EXIT_BAD_INPUT = 0, 1, 2, 3, 4
EXIT_MISSING, EXIT_LOCKED, EXIT_BUG, EXIT_INTERRUPTED = 5, 6, 70, 130


class ReelError(Exception):
    """An error that a user can act on: `message` says what, where, expected and found; `hint` gives the way out.
    `log_lines` are the last lines of the log, for an error whose cause is only there."""

    exit_code = EXIT_FAILED
    log_lines: tuple[str, ...] = ()

    def __init__(self, code: str, message: str, *, hint: str | None = None, log: Path | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = as_called(hint) if hint else hint
        self.log = log


class UsageError(ReelError):
    exit_code = EXIT_USAGE


class BadInput(ReelError):
    exit_code = EXIT_BAD_INPUT


class StageRefused(BadInput):
    pass


class MediaChanged(BadInput):
    pass


class Missing(ReelError):
    exit_code = EXIT_MISSING


class Locked(ReelError):
    exit_code = EXIT_LOCKED


class StepFailed(ReelError):
    pass


class StageRaised(StepFailed):
    pass


class WorkerCrashed(StepFailed):
    pass


class WorkerKilled(StepFailed):
    pass


class WorkerLost(StepFailed):
    pass


class OutOfMemory(StepFailed):
    host: str = ""  # the machine, where it is known
    gpu: int | None = None  # and the card on which the worker computed


class CardFailed(StepFailed):
    pass


class WorkerTimedOut(StepFailed):
    pass


class OutputsInvalid(StepFailed):
    pass
