"""`python -m pipeline`: the command line. ^C and SIGTERM are endings like any other, from the first import on.

Names of files are UTF-8 whatever the locale says, as stages have it; the wrapper `reel` starts Python so.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from pipeline.base.launcher import BYTECODE, UNCOMPILED

INTERRUPTED = 130  # as `errors` has it, which is not imported yet
PROJECT = "REEL_PROJECT"  # as `project` has it


def start() -> int:
    """Import the command line and run it; returns the exit code."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    signals = [number for number, how in usual.items() if signal.getsignal(number) == how]  # others are to be ignored
    for number in signals:
        signal.signal(number, _leave)
    if "_ARGCOMPLETE" in os.environ:  # a shell asks how a command may go on
        from pipeline.cli.completion import complete

        complete()
    _keep_compiled()
    from pipeline.cli.main import main

    # A plan for ten thousand media keeps all it makes; to go through that again and again takes a sixth of the time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        for number in signals:
            signal.signal(number, signal.default_int_handler)
        return main()
    except KeyboardInterrupt:  # before the command line was understood, or after all was said
        return INTERRUPTED
    finally:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)  # too late to change what the command has come to
        # An interrupt that came while a text was executed, as dataclasses do it, makes Python end by a signal in place
        # of our exit code, even if it was seen to; it forgets that with the next text.
        exec("")


def _keep_compiled() -> None:
    """Keep compiled modules in the project's cache, once there is one, where the package came without any."""
    cache = Path(os.environ.get(PROJECT, "")) / ".cache"
    if UNCOMPILED and cache.is_dir():
        sys.pycache_prefix, sys.dont_write_bytecode = str(cache.resolve() / BYTECODE), False


def _in_utf8() -> None:
    """Start this process again where Python would take names of files for another encoding than UTF-8."""
    if os.name == "posix" and sys.getfilesystemencoding() != "utf-8":
        os.execv(sys.executable, [sys.orig_argv[0], "-X", "utf8", *sys.orig_argv[1:]])


def _with_all_streams() -> None:
    """Lead nowhere what the caller has closed of the three standard streams: otherwise the next file that is opened,
    the index of results for example, would get its number, and what is printed."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for good


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)  # nothing is open yet; an exception could get lost in an import


if __name__ == "__main__":
    _in_utf8()
    _with_all_streams()
    sys.exit(start())
