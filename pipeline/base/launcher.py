"""How reel was installed: as a checkout with the wrapper `reel` in it, or as a package of Python.

It decides how messages write commands, and whether anything may be written beside the code.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
"""The folder that holds the packages `pipeline`, `shared` and `stages`, and `config`."""
INSTALLED = not (ROOT / "reel").is_file()
"""True for an installed package: it lies in a `site-packages`, and nothing is written there."""
UNCOMPILED = INSTALLED and not (ROOT / "pipeline" / "__pycache__").is_dir()
"""True if it was installed without compiled modules, as uv does. Python must then keep them elsewhere."""
BYTECODE = "bytecode"
"""The folder for them in the cache of a project."""
REEL = "reel" if INSTALLED else "./reel"
"""The first word of a command."""

# Files that a message names by their place in the code: in an installed package they are elsewhere.
_FILE = re.compile(r"(?<![\w./-])(?=docs/(?:how-to|reference|explanation)/|config/secrets\.example\.json)")
_COMMAND = re.compile(r"(?<![\w./])\./reel(?=[ `])")


def as_called(text: str, reel: str = REEL, files: str = f"{ROOT.as_posix()}/" if INSTALLED else "") -> str:
    """Return a message, whose commands begin with `./reel`, with its commands as they are called here, and with the
    pages that it names as they are found here."""
    return _FILE.sub(lambda _: files, _COMMAND.sub(reel, text))
