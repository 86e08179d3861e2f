"""Convert a place on the picture to the settings of a WebVTT cue and back."""

from __future__ import annotations

import re

from shared.documents.cue import Place
from stages.toolkit.cues.styles import point_of

_ROWS = 15  # of a picture, for a cue whose line is a number


def vtt_settings(place: Place | None) -> str:
    """Return the settings of a WebVTT cue with a blank before each; empty for the foot of the picture."""
    if place is None:
        return ""
    row, column = (place.anchor - 1) // 3, (place.anchor - 1) % 3
    aligned = ("align:left", "", "align:right")[column]
    if place.at is None:
        settings = [("", "line:50%,center", "line:0")[row], aligned]
    else:
        edges = ("end", "center", "start")[row], ("line-left", "center", "line-right")[column]
        across, down = place.at[0] / 100, place.at[1] / 100
        settings = [f"line:{down:g}%,{edges[0]}", f"position:{across:g}%,{edges[1]}", aligned]
    return "".join(f" {setting}" for setting in settings if setting)


def place_of_settings(settings: str) -> tuple[int | None, tuple[int, int] | None]:
    """Return the anchor and the point that the settings of a WebVTT cue give: `line:10% position:20% align:left`."""
    given = dict(re.findall(r"\b(line|position|align|size|vertical|region):(\S+)", settings))
    line, _, line_edge = given.get("line", "").partition(",")
    position, _, position_edge = given.get("position", "").partition(",")
    down, across = _share(line), _share(position)
    if down is not None and across is not None and line_edge and position_edge:
        row = {"start": 6, "center": 3, "end": 0}.get(line_edge, 0)
        column = {"line-left": 1, "center": 2, "line-right": 3}.get(position_edge, 2)
        return row + column, point_of(across, down)
    row = 0
    if down is not None:
        row = 6 if down < 1 / 3 else 3 if down < 2 / 3 else 0
    elif re.fullmatch(r"-?\d+", line):
        place = int(line)
        place = place + _ROWS if place < 0 else place
        row = 6 if place < _ROWS // 3 else 3 if place < 2 * _ROWS // 3 else 0
    align = given.get("align", "center")
    column = {"start": 1, "left": 1, "end": 3, "right": 3}.get(align, 2)
    if column == 2 and across is not None:
        column = 1 if across < 1 / 3 else 2 if across < 2 / 3 else 3
    return row + column, None


def _share(text: str) -> float | None:
    """Return a percentage as a fraction."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)%", text)
    return float(found[1]) / 100 if found else None
