"""Explains import errors of an installed reel: its environment is shared with other packages, so a library may be
missing or too old."""

from __future__ import annotations

import sys

from pipeline.base.errors import Missing
from pipeline.base.launcher import INSTALLED

DISTRIBUTION = "reelflow"
_OURS = {"", "pipeline", "shared", "stages"}


def missing_library(error: Exception) -> Missing | None:
    """Return the error about a library that could not be imported; None for every other error.

    A checkout has an environment of its own, which holds what the lock says.
    """
    package = (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""
    if package in _OURS or not INSTALLED:
        return None
    return Missing(
        "core.packages",
        f"the package {package} in {sys.prefix} is missing or too old for reel: {error}",
        hint=f"run `{sys.executable} -m pip install --upgrade {DISTRIBUTION}`, or `pipx install {DISTRIBUTION}`, which "
        "gives reel an environment of its own",
    )
