"""A command of reel in the process of the tests: its imports, which cost more than most commands, are there already."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import io
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from pipeline.cli.main import main


class Ended(NamedTuple):
    """How a command ended: its exit code, and the texts of both streams."""

    code: int
    out: str
    err: str


def can_run_here() -> bool:
    """Tell whether this is the main thread, with no event loop at work: a browser's runs while its tests do."""
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop()
        return False
    return threading.current_thread() is threading.main_thread()


def run_here(words: Sequence[str], folder: Path, variables: Mapping[str, str], limit_s: float) -> Ended:
    """Run a command in `folder` with these variables alone, and with nothing on its input. A command that takes longer
    than the limit ends this process with a traceback of each thread: nothing less ends a thread that hangs."""
    out, err = _stream(), _stream()
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, variables, clear=True))
        stack.enter_context(contextlib.chdir(folder))
        nothing = stack.enter_context(open(os.devnull, encoding="utf-8"))
        stack.enter_context(mock.patch("sys.stdin", nothing))
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        faulthandler.dump_traceback_later(limit_s, exit=True, file=sys.__stderr__ or 2)
        stack.callback(faulthandler.cancel_dump_traceback_later)
        code = main(list(words))
    return Ended(code, _text(out), _text(err))


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    content = stream.buffer
    assert isinstance(content, io.BytesIO)
    return content.getvalue().decode("utf-8")
