"""PP-OCR by rapidocr: finds lines of text in a picture, and reads them.

To find text in a picture takes a second and more, so one that does not differ from the one before is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from rapidocr import RapidOCR

from shared.documents.media import Media
from shared.stage import Device
from stages.ocr.stage import Look, OcrParams, Reading
from stages.toolkit.media.frames import frames

_LONGEST_SIDE = 960  # of the picture in which text is looked for


class RapidOcrReader:
    """The loaded models. Nothing is kept from one film to the next."""

    def __init__(self, threads: int) -> None:
        self._ocr = RapidOCR(
            params={
                "Global.log_level": "error",
                "Global.use_cls": False,  # text on a screen does not stand on its head
                "Det.limit_type": "max",
                "Det.limit_side_len": _LONGEST_SIDE,
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    def watch(self, media: Path, info: Media, params: OcrParams, progress: Callable[[float], None]) -> Iterator[Look]:
        """Read one picture after the other."""
        seen: tuple[Reading, ...] = ()
        for frame in frames(media, info, params.every_s, params.width, params.region):
            if frame.changed:
                seen = tuple(self._read(np.ascontiguousarray(frame.pixels)))
            yield Look(frame.at_ms, seen)
            progress(frame.at_ms / max(info.duration_ms, 1))

    def _read(self, pixels: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]) -> Iterator[Reading]:
        found = self._ocr(pixels)
        if found.boxes is None or found.txts is None:
            return
        high, wide, _ = pixels.shape
        for corners, text, confidence in zip(found.boxes, found.txts, found.scores, strict=True):
            (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
            box = float(left / wide), float(top / high), float(right / wide), float(bottom / high)
            yield Reading(str(text), round(float(confidence), 4), box)


def load(models: Mapping[str, Path], device: Device) -> RapidOcrReader:
    """Load the weights, which are part of the package."""
    return RapidOcrReader(device.threads)
