"""Decides how a subtitle is drawn into a picture and how that picture is encoded.

Encoders of 4:2:0 want an even width and height. A picture of an odd size loses its last column or row: a column that
is added would be seen as a line at the edge, one that is missing is not seen.

A picture of high dynamic range stays one: ten bits, its own colours and transfer function. There, full white is the
brightest that a screen can do, so the subtitle gets the level of graphics white (ITU-R BT.2408: 203 cd/m2), which is
58 % of the signal in PQ and 75 % in HLG.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.documents.media import HdrTransfer, Track

DRAWS = "subtitles"
DRAWN = "burn-in.ass"
GRAPHICS_WHITE_NITS = 203
_GRAPHICS_WHITE: dict[HdrTransfer, float] = {"pq": 0.58, "hlg": 0.75}
HDR_CALLED: dict[HdrTransfer, str] = {"pq": "PQ", "hlg": "HLG"}


@dataclass(frozen=True)
class Encoding:
    """An encoder with its arguments. A fixed number of threads, because with another it makes other bytes."""

    encoder: str
    pixels: str
    arguments: tuple[str, ...]


_SDR = Encoding("libx264", "yuv420p", ("-crf", "18", "-preset", "medium", "-threads", "4"))
# H.264 of ten bits is what few players can show; HEVC of ten bits is what HDR films are in.
_HDR = Encoding(
    "libx265",
    "yuv420p10le",
    ("-crf", "18", "-preset", "medium", "-x265-params", "log-level=error:frame-threads=2:hdr10-opt=1"),
)

_COLOUR = re.compile(r"&H([0-9A-Fa-f]{2})?([0-9A-Fa-f]{6})\b")
_COLOURED = re.compile(r"^Style:.*$|\{[^}]*\}", re.MULTILINE)


def encoding_of(picture: Track) -> Encoding:
    """Choose the encoder for a picture."""
    return _HDR if picture.hdr else _SDR


def drawing(picture: Track) -> str:
    """Give the filters that draw the file `DRAWN`. `original_size` tells libass the shape of the pixels: where they
    are not square, it draws letters that are square on the screen."""
    filters = [f"format={encoding_of(picture).pixels}", *_evened(picture.width or 0, picture.height or 0)]
    size = f":original_size={picture.shown_width}x{picture.shown_height}" if _stretched(picture) else ""
    return ",".join([*filters, f"{DRAWS}=filename={DRAWN}{size}"])


def dimmed(ass: str, hdr: HdrTransfer | None) -> str:
    """Give the script with its colours at the level of graphics white, for a picture of high dynamic range."""
    if hdr is None:
        return ass

    def dim(found: re.Match[str]) -> str:
        level = _GRAPHICS_WHITE[hdr]
        channels = (round(int(found[2][at : at + 2], 16) * level) for at in (0, 2, 4))
        return f"&H{found[1] or ''}" + "".join(f"{channel:02X}" for channel in channels)

    return _COLOURED.sub(lambda coloured: _COLOUR.sub(dim, coloured[0]), ass)


def _evened(wide: int, high: int) -> list[str]:
    if wide % 2 == 0 and high % 2 == 0:
        return []
    if wide < 2 or high < 2:  # nothing can be taken from a single column or row
        return ["pad=w=ceil(iw/2)*2:h=ceil(ih/2)*2"]
    return ["crop=w=floor(iw/2)*2:h=floor(ih/2)*2:x=0:y=0"]


def _stretched(picture: Track) -> bool:
    shown = {picture.shown_width, picture.shown_height}
    return None not in shown and shown != {picture.width, picture.height}
