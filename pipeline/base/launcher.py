"""Tell how reel was installed: as a checkout with the wrapper `reel` in it, or as a Python package.

This decides how messages write commands, and whether files may be written beside the code.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
"""The folder that holds the packages `pipeline`, `shared` and `stages`, and `config`."""
INSTALLED = not (ROOT / "reel").is_file()
"""True for an installed package, which is in a `site-packages`: nothing is written there."""
UNCOMPILED = INSTALLED and not (ROOT / "pipeline" / "__pycache__").is_dir()
"""True if it was installed without compiled modules, as uv does. Python must then keep them elsewhere."""
BYTECODE = "bytecode"
"""The folder for compiled modules in the cache of a project."""
REEL = "reel" if INSTALLED else "./reel"
"""The first word of a command."""

# Files of the checkout that messages name; an installed package has them in another place.
_FILE = re.compile(r"(?<![\w./-])(?=docs/(?:how-to|reference|explanation)/|config/secrets\.example\.json)")
_COMMAND = re.compile(r"(?<![\w./])\./reel(?=[ `])")


def as_called(text: str, reel: str = REEL, files: str = f"{ROOT.as_posix()}/" if INSTALLED else "") -> str:
    """Return a message with its commands, which begin with `./reel`, and the pages that it names in the form that this
    installation has."""
    return _FILE.sub(lambda _: files, _COMMAND.sub(reel, text))
