"""The lines below an error: the way out, the end of the log, and the command that repeats the step."""

from __future__ import annotations

from pipeline.base.display_paths import shown
from pipeline.base.errors import ReelError
from pipeline.base.events import StepFailedEvent


def lines_below(failure: ReelError | StepFailedEvent) -> list[str]:
    """Return the lines to print below the message of a failure; none if there is nothing more to say."""
    lines = [f"hint: {failure.hint}"] if failure.hint else []
    if failure.log_lines:
        lines += ["its last lines:", *(f"  | {line}" for line in failure.log_lines)]
    if failure.log:
        lines.append(f"log: {shown(failure.log)}")
    if isinstance(failure, StepFailedEvent) and failure.again:
        lines.append(f"again: {failure.again}")
    return lines
