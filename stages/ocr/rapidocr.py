"""Read text with PP-OCR, through rapidocr: find lines of text in a picture, and read them.

The search for text takes a second or more, so a picture that does not differ from the one before is skipped. Text on a
page is small in relation to the page, so the search on pages uses a larger picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
from rapidocr import RapidOCR

from shared.documents.media import Media
from shared.stage import Device
from stages.ocr.stage import Look, OcrParams, Reading
from stages.toolkit.media.frames import Pixels, frames
from stages.toolkit.media.page_pixels import page_pixels

_LONGEST_SIDE = 960  # in pixels, of a film's picture for the search
_LONGEST_SIDE_OF_PAGE = 2000
_LARGEST = 10_000  # rapidocr would scale a larger picture down; pictures are scaled before


class RapidOcrReader:
    """The loaded models. No state is kept from one film to the next."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    @cached_property
    def _for_films(self) -> RapidOCR:
        return self._loaded(_LONGEST_SIDE, turned=False)  # text on a screen is upright

    @cached_property
    def _for_pages(self) -> RapidOCR:
        return self._loaded(_LONGEST_SIDE_OF_PAGE, turned=True)

    def _loaded(self, longest_side: int, *, turned: bool) -> RapidOCR:
        return RapidOCR(
            params={
                "Global.log_level": "error",
                "Global.use_cls": turned,
                "Global.max_side_len": _LARGEST,
                "Det.limit_type": "max",
                "Det.limit_side_len": longest_side,
                "EngineConfig.onnxruntime.intra_op_num_threads": self._threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    def read_page(self, picture: Path, params: OcrParams) -> tuple[Reading, ...]:
        """Return the lines of a page."""
        return tuple(_readings(self._for_pages, page_pixels(picture, params.region)))

    def watch(self, media: Path, info: Media, params: OcrParams, progress: Callable[[float], None]) -> Iterator[Look]:
        """Read the pictures of a film, one after the other."""
        seen: tuple[Reading, ...] = ()
        for frame in frames(media, info, params.every_s, params.width, params.region):
            if frame.changed:
                seen = tuple(_readings(self._for_films, np.ascontiguousarray(frame.pixels)))
            yield Look(frame.at_ms, seen)
            progress(frame.at_ms / max(info.duration_ms, 1))


def _readings(ocr: RapidOCR, pixels: Pixels) -> Iterator[Reading]:
    """Yield the lines of a picture, in reading order."""
    found = ocr(pixels)
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
