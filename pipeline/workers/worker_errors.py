"""Describe the failures of a worker as errors: how its process ended, and what it answered.

The last lines of its log often hold the cause, and are then a part of the error.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.base.code_place import place_in_code
from pipeline.base.errors import (
    EXIT_BUG,
    CardFailed,
    OutOfMemory,
    ReelError,
    StageRaised,
    StepFailed,
    WorkerCrashed,
    WorkerKilled,
    WorkerTimedOut,
)
from pipeline.base.project import CODE_ROOT
from pipeline.workers.worker_log import last_lines
from shared import protocol
from shared.process_memory import says_out_of_memory
from shared.processes import ending_signal
from shared.text.timecode import span

_SEARCHED_LINES = 20  # of a log, in which the cause of an abort is looked for
_SHOWN_LINES = 5  # of a log, below the error of a stage that failed
_LESS_MEMORY = "close other programs, or take a smaller model"


class WorkerBug(ReelError):
    """A failure that only a bug in reel can cause."""

    exit_code = EXIT_BUG


@dataclass(frozen=True)
class WorkerErrors:
    """The errors of one worker. `name` is for messages: `asr (faster-whisper)`."""

    name: str
    log: Path

    def not_started(self, error: OSError) -> StepFailed:
        """Return the error for a process that the system did not start."""
        why = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
        return StepFailed(
            "worker.start",
            f"no process could be started for {self.name}: {why}",
            hint="make room for it on this machine: disk, memory, processes, open files; then repeat the command",
        )

    def not_injected(self, problems: list[str]) -> WorkerBug:
        """Return the error for a worker whose cache is not reel's."""
        return WorkerBug("worker.not-injected", f"{self.name} does not use reel's cache: {'; '.join(problems)}")

    def other_protocol(self) -> WorkerBug:
        """Return the error for a worker that greets in another way than this release."""
        return WorkerBug("worker.protocol", f"{self.name} does not speak the protocol {protocol.PROTOCOL}")

    def broken_protocol(self, what: str) -> WorkerCrashed:
        """Return the error for an answer that is not part of the protocol, or not expected."""
        return WorkerCrashed("worker.protocol", f"{self.name} broke the protocol: {what}", log=self.log)

    def no_answer(self, what: str, limit_s: float) -> WorkerTimedOut:
        """Return the error for a worker that did not do something within a limit: `load its models`."""
        return WorkerTimedOut("worker.timed-out", f"{self.name} did not {what} within {span(limit_s)}", log=self.log)

    def late(self, limit_s: float) -> StepFailed:
        """Return the error for a job that took longer than its limit."""
        late = WorkerTimedOut(
            "worker.timed-out",
            f"{self.name} did not finish within {span(limit_s)}",
            hint="raise `time_limit_factor` if the machine is slow; the log shows what it did last",
            log=self.log,
        )
        return self._with_log(late)

    def over_limit(self, held_mb: float, limit_bytes: int) -> OutOfMemory:
        """Return the error for a worker that reel ended because it held more memory than its limit."""
        return OutOfMemory(
            "worker.memory",
            f"{self.name} was ended: it held {held_mb * 1e6 / 2**30:.1f} GiB, its limit is"
            f" {limit_bytes / 2**30:.1f} GiB",
            hint="raise `memory_limit_gib`, or take a smaller model",
            log=self.log,
        )

    def killed_by_system(self) -> OutOfMemory:
        """Return the error for a worker that the system killed because memory ran out."""
        message = f"{self.name} was killed by the system, because the machine's memory ran out"
        return OutOfMemory("worker.system-memory", message, hint=_LESS_MEMORY, log=self.log)

    def ended(self, status: int) -> StepFailed:
        """Return the error for a process that has ended with an exit status, for a cause that only the status and the
        log tell."""
        number = ending_signal(status)
        if number in {"SIGKILL", "SIGTERM"}:
            return WorkerKilled(
                "worker.killed",
                f"{self.name} was killed ({number}), by another process or for lack of memory",
                hint="close other programs or take a smaller model, then run the same command again",
                log=self.log,
            )
        if number == "SIGABRT" and (complaint := self._memory_complaint()):
            # MLX and C++ programs end the process where Python would raise an exception.
            return self.out_of_memory(complaint)
        how = f"by signal {number}" if number else f"with exit status {status}"
        text = f"{self.name} ended by itself, {how}, in the middle of its work"
        return self._with_log(WorkerCrashed("worker.crashed", text, log=self.log))

    def out_of_memory(self, complaint: str) -> OutOfMemory:
        """Return the error for a stage that reports that memory ran out."""
        message = f"{self.name} ran out of memory: {complaint}"
        return OutOfMemory("stage.out-of-memory", message, hint=_LESS_MEMORY, log=self.log)

    def raised(self, answer: protocol.Failed) -> StepFailed:
        """Return the error for an unexpected exception of a stage, with its place in our code."""
        place = place_in_code(answer.traceback, CODE_ROOT)
        message = f"{self.name} raised {described(answer)}" + (f", at {place}" if place else "")
        return self._with_log(StageRaised("stage.raised", message, hint="the log holds the traceback", log=self.log))

    def card_failed(self, answer: protocol.Failed | protocol.CardFailed, code: str = "stage.card") -> CardFailed:
        """Return the error for an exception on the card."""
        return self.card_error(code, f"{self.name} cannot compute on the card: {described(answer)}")

    def card_error(self, code: str, message: str) -> CardFailed:
        """Return an error of the card with its way out."""
        hint = "update the driver, or take the processor with `--set device=cpu`"
        return CardFailed(code, message, hint=hint, log=self.log)

    def _with_log(self, error: StepFailed) -> StepFailed:
        error.log_lines = tuple(last_lines(self.log, _SHOWN_LINES))
        return error

    def _memory_complaint(self) -> str | None:
        """Return the line at the end of the log that says that memory ran out; None if none does."""
        lines = last_lines(self.log, _SEARCHED_LINES)
        return next((line for line in reversed(lines) if says_out_of_memory(line)), None)


def described(answer: protocol.Failed | protocol.CardFailed | protocol.OutOfMemory) -> str:
    """Return an exception as part of a sentence: its type and message."""
    return f"{answer.type}: {answer.message or 'no message'}"
