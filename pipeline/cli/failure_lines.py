"""The lines below an error message: the hint, the end of the log, and the command that repeats the step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipeline.base.display_paths import shown

if TYPE_CHECKING:
    from pipeline.base.errors import ReelError


class Failure(Protocol):
    """An error, or the event of a step that failed. Neither is imported: `--help` would wait for pydantic."""

    @property
    def hint(self) -> str | None: ...
    @property
    def log(self) -> Path | None: ...
    @property
    def log_lines(self) -> tuple[str, ...]: ...


def lines_below(failure: Failure, again: str | None = None) -> list[str]:
    """Return the lines to print below the message of a failure; `again` is the command that repeats its step."""
    lines = [f"hint: {failure.hint}"] if failure.hint else []
    if failure.log_lines:
        lines += ["its last lines:", *(f"  | {line}" for line in failure.log_lines)]
    if failure.log:
        lines.append(f"log: {shown(failure.log)}")
    return [*lines, f"again: {again}"] if again else lines


def error_text(error: ReelError) -> str:
    """Return an error of a single file or model as text, with its hint on a second line."""
    text = f"error: {error.message} [{error.code}]"
    return f"{text}\n  hint: {error.hint}" if error.hint else text
