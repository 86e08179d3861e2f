"""Find reel's own packages, and the command that starts its command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_PACKAGED = _HERE / "program"
_CHECKOUT = _HERE.parent.parent
_DROPPED = {"PYTHONPATH", "PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONPYCACHEPREFIX"}


def command_line() -> list[str]:
    """Return the command that starts the command line: this Python for an installed package, the wrapper, which has an
    environment of its own, for a checkout. Raises `RuntimeError` in a Python that is embedded in another program."""
    if not _PACKAGED.is_dir():
        return [str(_CHECKOUT / ("reel.cmd" if os.name == "nt" else "reel"))]
    if not sys.executable:
        raise RuntimeError("this Python is embedded in another program, so reel cannot start it")
    return [sys.executable, "-P", "-X", "utf8", "-m", "pipeline"]


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the command line. It finds its own packages first, and writes nothing beside them."""
    if not _PACKAGED.is_dir():
        return {name: value for name, value in environ.items() if name != "PYTHONPATH"}
    kept = {name: value for name, value in environ.items() if name not in _DROPPED}
    return {**kept, "PYTHONPATH": str(_PACKAGED), "PYTHONDONTWRITEBYTECODE": "1", "PYDANTIC_DISABLE_PLUGINS": "1"}
