"""The languages that recognisers know, as far as this is known before a model is loaded."""

from __future__ import annotations

from shared.text.language import primary

# What the largest model of each backend hears: Whisper's 100 languages, and those of NeMo's two models.
_WHISPER = """
    af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy id is
    it ja jv ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru sa sd si sk
    sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh
"""
EUROPEAN = "bg cs da de el en es et fi fr hr hu it lt lv mt nl pl pt ro ru sk sl sv uk"
_HEARD = {
    "faster-whisper": frozenset(_WHISPER.split()),
    "mlx-whisper": frozenset(_WHISPER.split()),
    "nemo-canary": frozenset({"en"}),
    "nemo-parakeet": frozenset(EUROPEAN.split()),
    "whisperx": frozenset(_WHISPER.split()),
}


def hears(backend: str, language: str) -> bool:
    """Tell whether some model of a backend may know a language (BCP-47). The stage asks the loaded model itself."""
    return primary(language) in _HEARD.get(backend, {primary(language)})
