"""The user's token for the model hub: where it is looked for, and that it shows nowhere.

In this order: the variable of the hub's own client, `config/secrets.json`, the file in which that client keeps a
login. It is looked for when the hub is asked something, never before, and is kept out of every text by its type.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import UsageError
from shared.environment_manager import HUB_TOKEN_VARIABLE, hub_token_file, hub_token_variable

SECRETS = "secrets.json"
_ENTRY = "hf_token"
_SHAPE = re.compile(r"[\x21-\x7e]+")  # what a header can hold; anything else would be quoted in an error about it


@dataclass(frozen=True)
class Token:
    """A secret and where it stands; only `value` gives it away."""

    value: str = field(repr=False)
    origin: str


def find_token(environ: Mapping[str, str], config: Path, home: Path) -> Token | None:
    """The first token there is; None when there is none. Raises `UsageError` for a secrets file that others can read,
    and for what cannot be a token."""
    if value := hub_token_variable(environ):
        return _token(value, f"the variable {HUB_TOKEN_VARIABLE}")
    secrets = config / SECRETS
    if secrets.exists() and (value := _from_secrets(secrets)):
        return _token(value, f"config/{SECRETS}")
    login = hub_token_file(environ, home)
    try:
        value = login.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None
    return _token(value, str(login)) if value else None


def _from_secrets(path: Path) -> str:
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(
            "token.exposed",
            f"{path} can be read by others on this machine, so no token is taken from it",
            hint=f"run `chmod 600 {path}`; whoever may have seen the token can use it, so make a new one",
        )
    try:
        held = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        # The parser's words quote nothing, its `doc` would: so the error is not chained.
        raise UsageError("token.file", f"{path} is not JSON", hint="config/secrets.example.json shows one") from (
            error if isinstance(error, OSError) else None
        )
    value = held.get(_ENTRY) if isinstance(held, dict) else None
    if value is not None and not isinstance(value, str):
        raise UsageError("token.file", f"`{_ENTRY}` in {path} is not text", hint="write it in quotation marks")
    return (value or "").strip()


def _token(value: str, origin: str) -> Token:
    if not _SHAPE.fullmatch(value):
        raise UsageError(
            "token.shape", f"the token from {origin} holds characters that no token has", hint="copy it once more"
        )
    return Token(value, origin)
