"""Read the pixels of a page, for text recognition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from stages.toolkit.media.frames import Pixels


def page_pixels(picture: Path, region: str) -> Pixels:
    """Return a page, or its upper or lower third, as rows of blue, green and red."""
    with Image.open(picture) as page:
        pixels: Pixels = np.asarray(page.convert("RGB"))[:, :, ::-1]
    third = len(pixels) // 3
    part = {"all": pixels, "top": pixels[:third], "bottom": pixels[len(pixels) - third :]}[region]
    return np.ascontiguousarray(part)
