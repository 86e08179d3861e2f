"""Convert colours between `#rrggbb`, the names of HTML and WebVTT, and the numbers of ASS."""

from __future__ import annotations

import re

# The sixteen names of HTML 4, and other names that occur in subtitles.
_NAMES = {
    "black": "#000000", "silver": "#c0c0c0", "gray": "#808080", "grey": "#808080", "white": "#ffffff",
    "maroon": "#800000", "red": "#ff0000", "purple": "#800080", "fuchsia": "#ff00ff", "magenta": "#ff00ff",
    "green": "#008000", "lime": "#00ff00", "olive": "#808000", "yellow": "#ffff00", "navy": "#000080",
    "blue": "#0000ff", "teal": "#008080", "aqua": "#00ffff", "cyan": "#00ffff", "orange": "#ffa500", "pink": "#ffc0cb",
    "brown": "#a52a2a", "gold": "#ffd700", "violet": "#ee82ee", "lightblue": "#add8e6", "lightgreen": "#90ee90",
}  # fmt: skip
_HEX = re.compile(r"#?([0-9a-f]{6})(?:[0-9a-f]{2})?", re.IGNORECASE)
_SHORT = re.compile(r"#([0-9a-f])([0-9a-f])([0-9a-f])", re.IGNORECASE)
_ASS = re.compile(r"&?H?([0-9a-f]{1,8})&?", re.IGNORECASE)
# The colour classes that WebVTT defines.
_VTT_CLASSES = ("white", "lime", "cyan", "red", "yellow", "magenta", "blue", "black")


def colour_named(text: str) -> str | None:
    """Return `#rrggbb` for an HTML colour name or number; None for other text."""
    text = text.strip().lower()
    if text in _NAMES:
        return _NAMES[text]
    if found := _HEX.fullmatch(text):
        return f"#{found[1]}"
    short = _SHORT.fullmatch(text)
    return "#" + "".join(2 * digit for digit in short.groups()) if short else None


def colour_of_ass(text: str) -> str | None:
    """Return `#rrggbb` for `&HBBGGRR&`; None if the text is not a colour, as in the command without one."""
    found = _ASS.fullmatch(text.strip())
    if not found or not text.strip():
        return None
    number = int(found[1], 16) & 0xFFFFFF
    return f"#{number & 0xFF:02x}{number >> 8 & 0xFF:02x}{number >> 16:02x}"


def in_ass(colour: str) -> str:
    """Return `&HBBGGRR&` for `#rrggbb`."""
    return f"&H{colour[5:7]}{colour[3:5]}{colour[1:3]}&".upper()


def vtt_class(colour: str) -> str:
    """Return the WebVTT class of a colour. The file's style sheet must define it unless WebVTT does."""
    return next((name for name in _VTT_CLASSES if _NAMES[name] == colour), f"c_{colour[1:]}")
