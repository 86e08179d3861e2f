"""Convert language tags to Whisper's codes, which are BCP-47 with one exception."""

from __future__ import annotations

_DIFFERENT = {"jv": "jw"}


def whisper_code(language: str) -> str:
    """Return Whisper's code for a BCP-47 primary language."""
    return _DIFFERENT.get(language, language)
