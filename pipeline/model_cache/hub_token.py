"""Find the user's token for the model hub.

It is looked for in this order: the variable of the hub's own client, `config/secrets.json`, and the file in which that
client keeps a login.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.base.secret_file import Token, checked, from_file
from shared.environment_manager import HUB_TOKEN_VARIABLE, hub_token_file, hub_token_variable

_ENTRY = "hf_token"


def find_token(environ: Mapping[str, str], config: Path, home: Path | None) -> Token | None:
    """Return the first token found, or None. Raises `UsageError` for a secrets file that other users can read, and for
    a text that cannot be a token."""
    if value := hub_token_variable(environ):
        return checked(value, f"the variable {HUB_TOKEN_VARIABLE}")
    if found := from_file(config, _ENTRY):
        return found
    login = hub_token_file(environ, home)
    if login is None:
        return None
    try:
        value = login.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return checked(value, str(login)) if value else None
