"""`python -m pipeline`: start the command line.

From the first import on, Ctrl-C and SIGTERM end the process with an exit code and without a traceback. File names are
UTF-8 whatever the locale says, as they are in stage processes; the wrapper `reel` starts Python that way.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from pipeline.base.launcher import BYTECODE, UNCOMPILED

INTERRUPTED = 130  # `base.errors.EXIT_INTERRUPTED`: that module is not imported yet
PROJECT = "REEL_PROJECT"  # as in `base.project`


def start() -> int:
    """Import the command line and run it; returns the exit code."""
    default_handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    # A signal with another handler is one that the caller wants ignored, as `nohup` does.
    signals = [number for number, handler in default_handlers.items() if signal.getsignal(number) == handler]
    for number in signals:
        signal.signal(number, _exit_at_once)
    if "_ARGCOMPLETE" in os.environ:  # a shell asks for completions
        from pipeline.cli.completion import complete

        complete()
    _use_bytecode_cache()
    from pipeline.cli.main import main

    # A plan for ten thousand files keeps everything that it makes: collecting as often as usual takes a sixth of the
    # time and frees nothing.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        for number in signals:
            signal.signal(number, signal.default_int_handler)
        return main()
    except KeyboardInterrupt:  # before the command line was parsed, or after the result was printed
        return INTERRUPTED
    finally:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)  # the exit code is decided
        # If an interrupt arrives inside `exec`, which dataclasses use, Python later exits by SIGINT instead of with our
        # exit code, even though the interrupt was handled. The next `exec` clears that state.
        exec("")


def _use_bytecode_cache() -> None:
    """Keep compiled modules in the project's cache if there is one and the package was installed without any."""
    cache = Path(os.environ.get(PROJECT, "")) / ".cache"
    if UNCOMPILED and cache.is_dir():
        sys.pycache_prefix, sys.dont_write_bytecode = str(cache.resolve() / BYTECODE), False


def _require_utf8() -> None:
    """Restart this process in UTF-8 mode if Python would read file names in another encoding."""
    if os.name == "posix" and sys.getfilesystemencoding() != "utf-8":
        os.execv(sys.executable, [sys.orig_argv[0], "-X", "utf8", *sys.orig_argv[1:]])


def _open_closed_streams() -> None:
    """Open the null device for each standard stream that the caller closed. Otherwise the next file that is opened, for
    example the index of results, would get the stream's number, and printed text would end up in it."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - until the end


def _exit_at_once(number: int, frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)  # nothing is open yet; an exception could get lost in an import


if __name__ == "__main__":
    _require_utf8()
    _open_closed_streams()
    sys.exit(start())
