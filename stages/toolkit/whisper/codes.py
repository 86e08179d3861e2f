"""The codes of Whisper's languages, which are BCP-47 but for one."""

from __future__ import annotations

_DIFFERENT = {"jv": "jw"}


def whisper_code(language: str) -> str:
    """Return Whisper's code of a BCP-47 primary language."""
    return _DIFFERENT.get(language, language)
