"""Convert a place on the picture to a region of TTML and back."""

from __future__ import annotations

import re

from ttconv import model
from ttconv.style_properties import (
    CoordinateType,
    DisplayAlignType,
    ExtentType,
    LengthType,
    NamedColors,
    StyleProperties,
    TextAlignType,
)

from shared.documents.cue import Place
from stages.toolkit.cues.styles import FOOT, place_of

_FOOT_ID = "bottom"
_PLACED = re.compile(r"place-([1-9])(?:-(\d+)-(\d+))?")  # our own names, which contain the place
_ROWS = (DisplayAlignType.after, DisplayAlignType.center, DisplayAlignType.before)
_COLUMNS = (TextAlignType.start, TextAlignType.center, TextAlignType.end)
_INSET, _WHOLE = 1_000, 10_000  # ten-thousandths of the picture
_LEAST = 1_000  # the smallest region, because an empty one shows nothing


def make(document: model.ContentDocument, place: Place | None) -> model.Region:
    """Add a region for a place to the document, and return it."""
    region = model.Region(_name(place), document)
    row, column = divmod((place.anchor if place else FOOT) - 1, 3)
    across = _INSET, _WHOLE - 2 * _INSET
    down = across
    if place and place.at:
        across, down = _beside(place.at[0], column), _beside(place.at[1], 2 - row)
    region.set_style(StyleProperties.Origin, CoordinateType(x=_length(across[0]), y=_length(down[0])))
    region.set_style(StyleProperties.Extent, ExtentType(height=_length(down[1]), width=_length(across[1])))
    region.set_style(StyleProperties.DisplayAlign, _ROWS[row])
    region.set_style(StyleProperties.TextAlign, _COLUMNS[column])
    region.set_style(StyleProperties.Color, NamedColors.white.value)
    document.put_region(region)
    return region


def place(region: model.Region) -> Place | None:
    """Return the place of a region: by its name if it is one of ours, else by its outline. None for the foot of the
    picture, and if the outline is not known."""
    if ours := _PLACED.fullmatch(str(region.get_id())):
        return place_of(int(ours[1]), (int(ours[2]), int(ours[3])) if ours[2] else None)
    if str(region.get_id()) == _FOOT_ID:
        return None
    origin, extent = region.get_style(StyleProperties.Origin), region.get_style(StyleProperties.Extent)
    if origin is None or extent is None:
        return None
    left, top, width, height = (_share(length) for length in (origin.x, origin.y, extent.width, extent.height))
    if None in (left, top, width, height):
        return None
    aligned = region.get_style(StyleProperties.DisplayAlign) or DisplayAlignType.before
    middle = (top or 0.0) + (height or 0.0) * {
        DisplayAlignType.before: 0.0, DisplayAlignType.center: 0.5, DisplayAlignType.after: 1.0
    }[aligned]  # fmt: skip
    row = 2 if middle < 1 / 3 else 1 if middle < 2 / 3 else 0
    centre = (left or 0.0) + (width or 0.0) / 2
    column = 0 if centre < 1 / 3 else 1 if centre < 2 / 3 else 2
    return place_of(row * 3 + column + 1)


def _name(place: Place | None) -> str:
    if place is None:
        return _FOOT_ID
    return "-".join(map(str, ["place", place.anchor, *(place.at or ())]))


def _beside(point: int, edge: int) -> tuple[int, int]:
    """Return the start and extent of a region with its text after the point (`edge` 0), around it (1) or before it
    (2)."""
    point = min(max(point, 0), _WHOLE)
    if edge == 0:
        start = min(point, _WHOLE - _LEAST)
        return start, _WHOLE - start
    if edge == 2:
        return 0, max(point, _LEAST)
    half = max(min(point, _WHOLE - point), _LEAST)
    return min(max(point - half, 0), _WHOLE - 2 * half), 2 * half


def _length(part: int) -> LengthType:
    value = part / 100
    return LengthType(int(value) if value.is_integer() else value, LengthType.Units.pct)


def _share(length: LengthType) -> float | None:
    """Return a length as a fraction of the picture; None for units that need the size of the picture."""
    if length.units in {LengthType.Units.pct, LengthType.Units.rh, LengthType.Units.rw}:
        return float(length.value) / 100
    return None
