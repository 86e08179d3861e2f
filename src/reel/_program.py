"""Where reel's own packages are, and how its command line is started."""

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
    """Return the command that starts the command line: in a package this Python, in a checkout its wrapper, which
    has an environment of its own. Raises `RuntimeError` in a Python that is part of another program."""
    if not _PACKAGED.is_dir():
        return [str(_CHECKOUT / ("reel.cmd" if os.name == "nt" else "reel"))]
    if not sys.executable:
        raise RuntimeError("this Python does not know where its own program is, which reel has to start")
    return [sys.executable, "-P", "-X", "utf8", "-m", "pipeline"]


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the command line, which finds its own packages first and writes nothing beside them."""
    if not _PACKAGED.is_dir():
        return {name: value for name, value in environ.items() if name != "PYTHONPATH"}
    kept = {name: value for name, value in environ.items() if name not in _DROPPED}
    return {**kept, "PYTHONPATH": str(_PACKAGED), "PYTHONDONTWRITEBYTECODE": "1", "PYDANTIC_DISABLE_PLUGINS": "1"}
