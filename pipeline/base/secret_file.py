"""Read `config/secrets.json`, the user's tokens and keys, which no other user may read.

A secret is read when it is needed, never before, and its type keeps it out of every text.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.base.errors import UsageError

SECRETS = "secrets.json"
_SHAPE = re.compile(r"[\x21-\x7e]+")  # valid in an HTTP header; an error about anything else would quote it


@dataclass(frozen=True)
class Token:
    """A secret, and where it comes from. Only `value` reveals it."""

    value: str = field(repr=False)
    origin: str


def from_file(config: Path, entry: str) -> Token | None:
    """Return the secret of this name in the file, or None. Raises `UsageError` for a file that other users can read,
    and for a text that cannot be a secret."""
    path = config / SECRETS
    value = _read(path, entry) if path.exists() else ""
    return checked(value, f"config/{SECRETS}") if value else None


def checked(value: str, origin: str) -> Token:
    """Return the secret. Raises `UsageError` for a text that cannot be a secret, without showing it."""
    if not _SHAPE.fullmatch(value):
        raise UsageError(
            "token.shape", f"the token from {origin} holds characters that a token cannot contain", hint="copy it again"
        )
    return Token(value, origin)


def _read(path: Path, entry: str) -> str:
    try:
        held = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        # The error of the parser holds the whole text as `doc`, so it is not chained.
        raise UsageError("token.file", f"{path} is not JSON", hint="config/secrets.example.json shows one") from (
            error if isinstance(error, OSError) else None
        )
    value = held.get(entry) if isinstance(held, dict) else None
    if value is not None and not isinstance(value, str):
        raise UsageError("token.file", f"`{entry}` in {path} is not text", hint="write it in quotation marks")
    found = (value or "").strip()
    if found and _others_can_read(path):  # a file without a secret may be readable
        raise UsageError(
            "token.exposed",
            f"{path} can be read by others on this machine, so no token is taken from it",
            hint=f"run `chmod 600 {path}`; others may have read the token, so make a new one",
        )
    return found


def _others_can_read(path: Path) -> bool:
    return os.name == "posix" and bool(stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO))
