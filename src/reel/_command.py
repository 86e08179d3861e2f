"""Run one command of reel in a process of its own: build its arguments, read its events, and read its document."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from reel._program import command_line, variables

Name = str | os.PathLike[str]
"""The name of a file or a folder."""

_KEPT_LINES = 20  # of the command's messages, for an error without a document
_GRACE_S = 30.0  # for an orderly end: a stage in the middle of a computation needs a moment to stop
_WINDOWS = os.name == "nt"


class ReelError(Exception):
    """An error of a command: `code` is stable, `hint` gives the way out, `exit_code` is that of the command."""

    def __init__(self, code: str, message: str, hint: str | None = None, exit_code: int = 1) -> None:
        super().__init__(f"{message} [{code}]" + (f"\nhint: {hint}" if hint else ""))
        self.code, self.message, self.hint, self.exit_code = code, message, hint, exit_code


def flags_of(
    *, to: str | Iterable[str], recipe: str | None, output: Name | None, settings: Mapping[str, object] | None
) -> list[str]:
    """Return the flags of `run` and `plan` for these values."""
    languages = to if isinstance(to, str) else ",".join(to)
    words = ["--to", languages] if languages else []
    words += ["--recipe", recipe] if recipe else []
    words += ["--output", os.fspath(output)] if output is not None else []
    for name, value in (settings or {}).items():
        words += ["--set", f"{name}={json.dumps(value)}"]  # text too: `1984` could be a title
    return words


def files_of(media: Sequence[Name]) -> list[str]:
    """Return names of files as arguments. A name that begins with a dash is not taken for a flag."""
    names = [os.fspath(name) for name in media]
    return [os.path.join(".", name) if name.startswith("-") else name for name in names]


class Command:
    """A command that has been started. Iterate over its events, then read its document."""

    def __init__(self, words: Sequence[str], project: Name | None, program: Name | None) -> None:
        command = [os.fspath(program)] if program is not None else command_line()
        words = [*words, "--json", *(["--project", os.fspath(project)] if project is not None else [])]
        self._document: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe would fill while events are read
        self._last: deque[str] = deque(maxlen=_KEPT_LINES)
        try:
            self._process = subprocess.Popen(
                [*command, *words], env=dict(os.environ) if program is not None else variables(os.environ),
                stdin=subprocess.DEVNULL, stdout=self._document, stderr=subprocess.PIPE, encoding="utf-8",
                errors="replace", **_own_group(),
            )  # fmt: skip
        except OSError as error:
            self._document.close()
            text = f"{command[0]} cannot be started: {error.strerror or error}"
            raise ReelError("reel.start", text, "install reel again, or name another `reel` as `program`", 5) from error

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield the events of `--progress json` as they arrive. Other lines are kept for an error."""
        stream = self._process.stderr
        while stream is not None and not stream.closed and (line := stream.readline()):  # a stop closes it
            event = _event(line)
            if event is None:
                self._last.append(line.rstrip("\n"))
            else:
                yield event

    def document(self) -> tuple[dict[str, Any], int]:
        """Wait for the end, and return the document of `--json` with the exit code. Raises `ReelError` if the command
        has no result."""
        for _ in self.events():
            pass
        code = self._process.wait()
        self._close_stream()
        with self._document:
            self._document.seek(0)
            text = self._document.read().decode("utf-8", "replace")
        try:
            document: dict[str, Any] = json.loads(text)
        except ValueError:
            output = "\n".join(self._last) or f"it ended with {code} and said nothing"
            raise ReelError("reel.ended", f"the command gave no result: {output}", exit_code=code or 1) from None
        if document["data"] is None and document["errors"]:
            first = document["errors"][0]
            raise ReelError(first["code"], first["message"], first["hint"], code)
        return document, code

    def stop(self) -> None:
        """Interrupt the command as ^C would, and kill it if it does not end. What was finished is kept."""
        if self._process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT))
        try:
            self._process.communicate(timeout=_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def close(self) -> None:
        """Stop the command if it is running, and close its streams."""
        self.stop()
        self._close_stream()
        self._document.close()

    def _close_stream(self) -> None:
        if self._process.stderr is not None:
            self._process.stderr.close()


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def _own_group() -> dict[str, Any]:
    """Return the options that put the command into a process group of its own, so that ^C reaches it only through this
    process."""
    return {"creationflags": 0x200} if _WINDOWS else {"process_group": 0}  # CREATE_NEW_PROCESS_GROUP


def path_or_none(text: str | None) -> Path | None:
    """Return the path in a field of a document, which may be null."""
    return Path(text) if text else None
