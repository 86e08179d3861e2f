"""Read the markup of SubRip, WebVTT and ASS as the runs and the place of a cue.

Italics, bold, underlining, colours and places are kept. All other tags and commands are reported, so that their author
learns that they are dropped.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from shared.documents.cue import Style
from stages.toolkit.cues.colours import colour_named, colour_of_ass
from stages.toolkit.cues.styles import PLAIN, Run, place_of, point_of, styled
from stages.toolkit.formats.direction import MARKS
from stages.toolkit.formats.vtt_settings import place_of_settings

WORD_JOINER = "\u2060"  # without width; after a sign, it prevents the sign from being read as a command

# The signs of ASS that are not letters; `split` keeps the parts in brackets.
_ASS_SIGN = re.compile(r"(\\[Nnh{}]|\{[^}]*\})")
_COMMANDS = rf"\{{\\(?!{WORD_JOINER})[^}}]*\}}"  # many players accept these in SubRip too
_TAG = r"</?[A-Za-z0-9.][^<>\n]*>"
_TAG_OR_COMMANDS = {"srt": re.compile(f"({_COMMANDS}|{_TAG})"), "vtt": re.compile(f"({_TAG})")}
_ASS_LETTERS = {r"\N": "\n", r"\n": " ", r"\h": "\u00a0", r"\{": "{", r"\}": "}"}
_JOINED = re.compile(rf"(?<=[\\<-]){WORD_JOINER}")  # in our own files
_COMMAND = re.compile(r"\\(\d?[A-Za-z]+)(\([^)]*\)|[^\\]*)")  # `\fad(1,2)`, `\b1`, `\c&HFF&`, `\rNote`
_NUMBER = re.compile(r"-?\d{1,6}(?:\.\d{1,6})?")
_NAME = re.compile(r"</?([A-Za-z0-9]*)([^>]*)>")
_COLOUR = re.compile(r"""\bcolor\s*=\s*["']?\s*([#\w]+)""", re.IGNORECASE)
_FLAGS: Mapping[str, str] = {"i": "italic", "em": "italic", "b": "bold", "strong": "bold", "u": "underline"}
_LEGACY = {1: 1, 2: 2, 3: 3, 5: 7, 6: 8, 7: 9, 9: 4, 10: 5, 11: 6}  # the anchors of `\a`
_DEEPEST = 64  # nested tags: more are a mistake, and would cost the square of their number
_SRT_SCREEN = (384.0, 288.0)  # the size of the picture for points in SubRip
# Tags and commands that are not styles, so their loss is not reported.
_HARMLESS = frozenset({"lang", "v", "fad", "fade", "k", "K", "kf", "ko", "kt", "q"})


@dataclass
class _StyleState:
    """The open tags and the commands at one place of a text, and the style that they give to the letters after it."""

    base: Style
    screen: tuple[float, float]
    left_out: dict[str, None]
    styles: Mapping[str, Style] = field(default_factory=dict)  # of ASS, by name
    opened: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    commanded: dict[str, object] = field(default_factory=dict)
    anchor: int | None = None
    at: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self.style = self.own = self.base

    def open(self, name: str, gives: dict[str, object]) -> None:
        if len(self.opened) == _DEEPEST:
            return
        self.opened.append((name, gives))
        self._changed()

    def close(self, name: str) -> None:
        for number in range(len(self.opened) - 1, -1, -1):
            if self.opened[number][0] == name:
                del self.opened[number]
                break
        self._changed()

    def command(self, gives: dict[str, object]) -> None:
        self.commanded |= gives
        self._changed()

    def restart(self, base: Style) -> None:
        self.base, self.commanded = base, {}
        self._changed()

    def _changed(self) -> None:
        values: dict[str, object] = self.base.model_dump()
        for _, gives in self.opened:
            values |= gives
        self.style = Style.model_validate(values | self.commanded)


def read_tagged(text: str, kind: str, settings: str, left_out: dict[str, None]) -> dict[str, object]:
    """Return the fields of a cue of SubRip or WebVTT. `settings` are those of a WebVTT cue; the markup that is dropped
    is added to `left_out`."""
    state = _StyleState(PLAIN, _SRT_SCREEN, left_out)
    is_vtt = kind == "vtt"
    if settings:
        state.anchor, state.at = place_of_settings(settings)

    def letters(part: str) -> str:
        return _JOINED.sub("", html.unescape(part) if is_vtt else part)

    def sign(part: str) -> str:
        if part.startswith("{"):
            _apply_commands(part, state)
        else:
            _apply_tag(part, state)
        return ""

    return _cue_fields(_TAG_OR_COMMANDS[kind].split(text), letters, sign, state, drop_marks=is_vtt)


def read_ass(
    text: str, styles: Mapping[str, Style], style: str, anchor: int, screen: tuple[float, float],
    left_out: dict[str, None],
) -> dict[str, object]:  # fmt: skip
    """Return the fields of a cue from an ASS event with this text, style and anchor. `screen` is the size of the
    picture for points; the markup that is dropped is added to `left_out`."""
    state = _StyleState(styles.get(style, PLAIN), screen, left_out, styles, anchor=anchor)

    def sign(part: str) -> str:
        if part.startswith("{"):
            _apply_commands(part, state)
        return _ASS_LETTERS.get(part, "")

    return _cue_fields(_ASS_SIGN.split(text), lambda part: _JOINED.sub("", part), sign, state, drop_marks=True)


def _cue_fields(
    parts: list[str], letters: Callable[[str], str], sign: Callable[[str], str], state: _StyleState, *, drop_marks: bool
) -> dict[str, object]:
    lines: list[list[Run]] = [[]]
    for number, part in enumerate(parts):
        text = sign(part) if number % 2 else letters(part)
        first, *others = text.split("\n")
        lines[-1].append((first, state.style))
        lines += [[(other, state.style)] for other in others]
    if drop_marks:
        lines = [_without_mark(line) for line in lines]
    return {**styled(lines), "place": place_of(state.anchor, state.at)}


def _without_mark(line: list[Run]) -> list[Run]:
    """Return the line without the direction mark with which lines of our own files begin."""
    for number, (text, style) in enumerate(line):
        if text.strip():
            return [*line[:number], (text.lstrip(MARKS), style), *line[number + 1 :]]
    return line


def _apply_tag(tag: str, state: _StyleState) -> None:
    """Open or close a tag of SubRip or WebVTT."""
    found = _NAME.match(tag)
    name, rest = (found[1].lower(), found[2]) if found else ("", "")
    if tag.startswith("</"):
        state.close(name)
    elif name in _FLAGS:
        state.open(name, {_FLAGS[name]: True})
    elif name == "font":
        colour = colour_named(named[1]) if (named := _COLOUR.search(rest)) else None
        state.open(name, {"colour": colour} if colour else {})
        if colour is None or len(rest.split("=")) > 2:
            state.left_out.setdefault(tag)
    elif name == "c":
        classes = [part for part in rest.split()[0].split(".") if part] if rest.split() else []
        colours = [colour for part in classes if (colour := colour_named(part.removeprefix("c_")))]
        state.open(name, {"colour": colours[-1]} if colours else {})
        if len(colours) < len(classes):
            state.left_out.setdefault(tag)
    elif name and not name[0].isdigit():
        state.open(name, {})
        if name not in _HARMLESS:
            state.left_out.setdefault(tag)


def _apply_commands(commands: str, state: _StyleState) -> None:
    """Apply the commands between two braces of ASS. Braces without commands are a remark."""
    for name, value in _COMMAND.findall(commands[1:-1]):
        number = float(found[0]) if (found := _NUMBER.search(value)) else None
        if name in {"i", "u", "b"}:
            flag = {"i": "italic", "u": "underline", "b": "bold"}[name]
            on = number is not None and (number == 1 or number >= 600)  # `\b` takes a weight too
            state.command({flag: on if value.strip() else getattr(state.base, flag)})
        elif name in {"c", "1c"}:
            state.command({"colour": colour_of_ass(value) or state.base.colour})
        elif name == "r" or (name.startswith("r") and name[1:] + value in state.styles):
            state.restart(state.styles.get(name[1:] + value, state.own))
        elif name in {"an", "a"} and number is not None:
            anchor = int(number) if name == "an" else _LEGACY.get(int(number), 0)
            state.anchor = anchor if 1 <= anchor <= 9 else state.anchor
        elif name in {"pos", "move"} and len(point := [float(part) for part in _NUMBER.findall(value)]) >= 2:
            state.at = point_of(point[0] / state.screen[0], point[1] / state.screen[1])
            if name == "move":
                state.left_out.setdefault(rf"\{name}")
        elif name not in _HARMLESS:
            state.left_out.setdefault(r"\fn" if name.startswith("fn") else rf"\{name}")
