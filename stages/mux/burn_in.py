"""Decide how a subtitle is drawn into a picture, and how that picture is encoded.

Encoders of 4:2:0 need an even width and height. A picture of an odd size loses its last column or row: an added column
would be visible as a line at the edge, a missing one is not.

A picture of high dynamic range keeps its ten bits, its colours and its transfer function. Full white would be as bright
as the screen allows, so the subtitle gets the level of graphics white (ITU-R BT.2408: 203 cd/m2), which is 58 % of the
signal in PQ and 75 % in HLG.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.documents.media import HdrTransfer, Track
from shared.text.scripts import script_of_language

DRAW_FILTER = "ass"
DRAWN_FILE = "burn-in.ass"
_GRAPHICS_WHITE: dict[HdrTransfer, float] = {"pq": 0.58, "hlg": 0.75}


@dataclass(frozen=True)
class Encoding:
    """An encoder with its pixel format and arguments. The number of threads is fixed, because it changes the bytes."""

    encoder: str
    pixels: str
    arguments: tuple[str, ...]


_SDR = Encoding("libx264", "yuv420p", ("-crf", "18", "-preset", "medium", "-threads", "4"))
# Few players show H.264 of ten bits; HDR films are in HEVC of ten bits.
_HDR = Encoding(
    "libx265",
    "yuv420p10le",
    ("-crf", "18", "-preset", "medium", "-x265-params", "log-level=error:frame-threads=2:hdr10-opt=1"),
)

# Where the font that a script names lacks a letter, libass takes the first font with that letter, which may have few
# others of its script, or the shapes of another country. Where a font below is not installed, nothing changes.
_ALPHABETS = {"LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW"}  # usual fonts have all of their letters
_EAST_ASIAN = {"ja": "JP", "ko": "KR", "yue": "HK", "zh": "SC"}
_TRADITIONAL = {"hant": "TC", "tw": "TC", "hk": "HK", "mo": "HK"}
_FONT = re.compile(r"^(Style: [^,]*,)[^,]*", re.MULTILINE)

_COLOUR = re.compile(r"&H([0-9A-Fa-f]{2})?([0-9A-Fa-f]{6})\b")
_STYLED_TEXT = re.compile(r"^Style:.*$|\{[^}]*\}", re.MULTILINE)


def encoding_of(picture: Track) -> Encoding:
    """Return the encoding for a picture."""
    return _HDR if picture.hdr else _SDR


def draw_filters(picture: Track) -> str:
    """Return the filters that draw the file `DRAWN_FILE`. `original_size` gives libass the shape of the pixels, so that
    letters have the right shape on the screen even if pixels are not square."""
    filters = [f"format={encoding_of(picture).pixels}", *_even_size(picture.width or 0, picture.height or 0)]
    size = f":original_size={picture.shown_width}x{picture.shown_height}" if _stretched(picture) else ""
    return ",".join([*filters, f"{DRAW_FILTER}=filename={DRAWN_FILE}:shaping=complex{size}"])


def with_font(ass: str, language: str) -> str:
    """Return an ASS script whose styles name a font with all letters of the language; unchanged for an alphabet that
    every font has."""
    font = _font_of(language)
    return _FONT.sub(lambda style: f"{style[1]}{font}", ass) if font else ass


def _font_of(language: str) -> str | None:
    base, *rest = language.lower().split("-")
    if base in _EAST_ASIAN:
        region = next((_TRADITIONAL[part] for part in rest if part in _TRADITIONAL), _EAST_ASIAN[base])
        return f"Noto Sans CJK {region}"
    script = script_of_language(language)
    return f"Noto Sans {script.title()}" if script and script not in _ALPHABETS else None


def dim_colours(ass: str, hdr: HdrTransfer | None) -> str:
    """Return an ASS script with its colours at the level of graphics white for a picture of high dynamic range;
    unchanged for another picture."""
    if hdr is None:
        return ass

    def dim(found: re.Match[str]) -> str:
        level = _GRAPHICS_WHITE[hdr]
        channels = (round(int(found[2][at : at + 2], 16) * level) for at in (0, 2, 4))
        return f"&H{found[1] or ''}" + "".join(f"{channel:02X}" for channel in channels)

    return _STYLED_TEXT.sub(lambda coloured: _COLOUR.sub(dim, coloured[0]), ass)


def _even_size(wide: int, high: int) -> list[str]:
    if wide % 2 == 0 and high % 2 == 0:
        return []
    if wide < 2 or high < 2:  # nothing can be taken from a single column or row
        return ["pad=w=ceil(iw/2)*2:h=ceil(ih/2)*2"]
    return ["crop=w=floor(iw/2)*2:h=floor(ih/2)*2:x=0:y=0"]


def _stretched(picture: Track) -> bool:
    shown = {picture.shown_width, picture.shown_height}
    return None not in shown and shown != {picture.width, picture.height}
