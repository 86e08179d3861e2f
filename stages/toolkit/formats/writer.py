"""Write cues as subtitle files: SubRip, WebVTT and plain text by the project's own rules, ASS by pysubs2, TTML and SCC
by ttconv.

Spoken text must pass through every format unchanged, but it may contain signs that have a meaning in a format: a
backslash, a brace, an angle bracket, an arrow. If a format cannot escape such a sign, a character without width is put
beside it, so that it is not read as a command.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

import pysubs2

from shared.documents.cue import Cue, CueSheet
from shared.text.timecode import timecode
from stages.toolkit.cues.colours import in_ass, vtt_class
from stages.toolkit.cues.styles import FOOT, Styled, nearest_anchor, runs_of, styled
from stages.toolkit.formats import closed_captions, timed_text
from stages.toolkit.formats.direction import base_direction, with_mark
from stages.toolkit.formats.markup_reader import WORD_JOINER
from stages.toolkit.formats.vtt_settings import vtt_settings

_TAG_OPENS = re.compile(r"<(?=[A-Za-z0-9./])")  # some readers take this for the start of a tag, or of a time in one
_ARROW = "-->"

# The colours that the BBC's subtitle guidelines give to speakers, in their order.
_SPEAKER_COLOURS = ((255, 255, 255), (255, 255, 0), (0, 255, 255), (0, 255, 0))
_SCRIPT_HEIGHT = 1080  # the height of the picture in the unit of ASS
_WIDE = 16 / 9  # the aspect of the picture if it is not known
_FONT = "Arial"  # players take a similar one if it is not installed
_FONT_SIZE, _OUTLINE = 58, 3.0
_FIND_DIRECTION = -1  # an encoding with which libass takes the direction of each line's first letter
_LINE_LETTERS, _LETTER_WIDTH, _LINE_SHARE = 42, 0.5, 0.9  # of a full line: letters, width by height, share of picture
# The styles that each format cannot hold. Plain text has no styles at all.
_ITALICS, _BOLD, _UNDERLINING, _COLOURS = "italics", "bold letters", "underlining", "colours"
_PLACES, _POINTS = "places on the picture", "points on the picture"
_STYLES = (_ITALICS, _BOLD, _UNDERLINING, _COLOURS, _PLACES, _POINTS)
_CANNOT_HOLD = {"scc": _STYLES, "srt": (_POINTS,), "mkv": (_POINTS,), "mp4": (_COLOURS, _PLACES, _POINTS)}


def render(sheet: CueSheet, kind: str, aspect: float | None = None) -> str:
    """Return the text of a file. `kind` is its usual suffix, `aspect` the width of the picture divided by its height.

    Raises `StageError` if the format cannot hold the sheet.
    """
    return _KINDS[kind](_clean(sheet), aspect or _WIDE)


def lost(sheet: CueSheet, kind: str) -> str | None:
    """Return the names of a sheet's styles that a format cannot hold, as a phrase; None if it can hold all."""
    styles = {name for cue in sheet.cues for name in _styles_of(cue)}
    found = [name for name in _STYLES if name in styles and name in _CANNOT_HOLD.get(kind, ())]
    return " and ".join(filter(None, [", ".join(found[:-1]), *found[-1:]])) or None


def _styles_of(cue: Cue) -> Iterator[str]:
    yield from [_ITALICS] if cue.italic else []
    for span in cue.spans:
        yield from [_ITALICS] if span.style.italic else []
        yield from [_BOLD] if span.style.bold else []
        yield from [_UNDERLINING] if span.style.underline else []
        yield from [_COLOURS] if span.style.colour else []
    if cue.place:
        yield _POINTS if cue.place.at else _PLACES


def _clean(sheet: CueSheet) -> CueSheet:
    """Return the sheet without characters that no file may contain, and without empty lines and cues."""
    cues = []
    for cue in sheet.cues:
        fields: Styled | dict[str, tuple[str, ...]]
        if cue.spans:
            fields = styled([[(_clean_text(text), style) for text, style in runs] for runs in runs_of(cue)])
            fields["italic"] = fields["italic"] or cue.italic
        else:
            fields = {"lines": tuple(line for line in (_clean_text(line).strip() for line in cue.lines) if line)}
        if fields["lines"]:
            cues.append(cue.model_copy(update=dict(fields)))
    return sheet.model_copy(update={"cues": tuple(cues)})


def _clean_text(text: str) -> str:
    kept = []
    for character in text:
        kind = unicodedata.category(character)
        if kind in {"Cc", "Zl", "Zp"}:
            kept.append(" ")
        elif kind != "Cs" and character not in "\ufffe\uffff":
            kept.append(character)
    return "".join(kept)


def _srt(sheet: CueSheet, aspect: float) -> str:
    # Some readers take every arrow for the one between two times, and most take text for a tag.
    def escape(text: str) -> str:
        text = text.replace("\\", f"\\{WORD_JOINER}").replace(_ARROW, f"--{WORD_JOINER}>")
        return _TAG_OPENS.sub(f"<{WORD_JOINER}", text)

    def text_of(cue: Cue) -> str:
        anchor = nearest_anchor(cue.place)
        placed = f"{{\\an{anchor}}}" if anchor != FOOT else ""
        return placed + _tagged(cue, escape, lambda colour: (f'<font color="{colour}">', "</font>"))

    return _numbered(sheet.cues, text_of, _times)


def _vtt(sheet: CueSheet, aspect: float) -> str:
    """Return WebVTT. The place of a cue follows its times, and colours are in a style sheet at the beginning."""
    used: dict[str, str] = {}

    def escape(text: str) -> str:
        return html.escape(text.replace("\\", f"\\{WORD_JOINER}"), quote=False)

    def in_colour(colour: str) -> tuple[str, str]:
        used[vtt_class(colour)] = colour
        return f"<c.{vtt_class(colour)}>", "</c>"

    def text_of(cue: Cue) -> str:
        return _tagged(_marked(cue, sheet.language), escape, in_colour)

    # WebVTT demands the order of time.
    in_order = sorted(sheet.cues, key=lambda cue: cue.start_ms)
    cues = _numbered(in_order, text_of, lambda cue: _times(cue).replace(",", ".") + vtt_settings(cue.place))
    styles = [f"::cue(.{name}) {{ color: {colour}; }}" for name, colour in used.items()]
    return "\n".join(["WEBVTT", "", *(["STYLE", *styles, ""] if styles else []), cues])


def _marked(cue: Cue, language: str) -> Cue:
    """Return the cue with a direction mark before each line whose first letter would give a player the wrong
    direction."""
    direction = base_direction(cue.lines, language)
    lines = tuple(with_mark(line, direction) for line in cue.lines)
    longer = [len(after) - len(before) for before, after in zip(cue.lines, lines, strict=True)]
    spans = tuple(
        span.model_copy(update={"start": span.start + longer[span.line], "end": span.end + longer[span.line]})
        for span in cue.spans
    )
    return cue if lines == cue.lines else cue.model_copy(update={"lines": lines, "spans": spans})


def _tagged(cue: Cue, escape: Callable[[str], str], in_colour: Callable[[str], tuple[str, str]]) -> str:
    """Return the text with the tags of SubRip and WebVTT."""
    lines = []
    for runs in runs_of(cue):
        parts = []
        for text, style in runs:
            tags = [in_colour(style.colour)] if style.colour else []
            flags = (("b", style.bold), ("i", style.italic), ("u", style.underline))
            tags += [(f"<{name}>", f"</{name}>") for name, is_on in flags if is_on]
            opened, closed = "".join(tag for tag, _ in tags), "".join(tag for _, tag in reversed(tags))
            parts.append(f"{opened}{escape(text)}{closed}")
        lines.append("".join(parts))
    text = "\n".join(lines)
    return f"<i>{text}</i>" if cue.italic else text


def _numbered(cues: Sequence[Cue], text_of: Callable[[Cue], str], times_of: Callable[[Cue], str]) -> str:
    return "".join(f"{number}\n{times_of(cue)}\n{text_of(cue)}\n\n" for number, cue in enumerate(cues, 1))


def _times(cue: Cue) -> str:
    return f"{timecode(cue.start_ms)} --> {timecode(cue.end_ms)}"


def _ass(sheet: CueSheet, aspect: float) -> str:
    """Return ASS with one style for each speaker, in order of first appearance. Cues without a speaker have the first
    style."""

    def escape(line: str) -> str:
        return line.replace("\\", f"\\{WORD_JOINER}").replace("{", r"\{").replace("}", r"\}")

    width = round(_SCRIPT_HEIGHT * aspect)
    subtitles = pysubs2.SSAFile()
    subtitles.info.update(
        {"PlayResX": str(width), "PlayResY": str(_SCRIPT_HEIGHT), "WrapStyle": "0", "ScaledBorderAndShadow": "yes"}
    )
    subtitles.styles.clear()
    speakers = list(dict.fromkeys(cue.speaker for cue in sheet.cues if cue.speaker))
    names = {speaker: f"Speaker {number}" if number > 1 else "Default" for number, speaker in enumerate(speakers, 1)}
    is_right_to_left = any(base_direction(cue.lines, sheet.language) == "rtl" for cue in sheet.cues)

    def marked(cue: Cue) -> Cue:
        return _marked(cue, sheet.language) if is_right_to_left else cue

    for number, name in enumerate(["Default", *list(names.values())[1:]]):
        subtitles.styles[name] = _style(width, _SPEAKER_COLOURS[number % len(_SPEAKER_COLOURS)])
        if is_right_to_left:
            subtitles.styles[name].encoding = _FIND_DIRECTION
    for cue in sheet.cues:
        event = pysubs2.SSAEvent(start=cue.start_ms, end=cue.end_ms, text=_commanded(marked(cue), escape, width))
        event.style = names.get(cue.speaker or "", "Default")
        event.name = cue.speaker or ""
        subtitles.append(event)
    text: str = subtitles.to_string("ass", header_notice="")
    return text


def _commanded(cue: Cue, escape: Callable[[str], str], width: int) -> str:
    """Return the text with the commands of ASS, each of which applies until the next one."""
    lines = []
    for runs in runs_of(cue):
        parts = []
        for text, style in runs:
            on, off = "", ""
            for name, is_on in (("b", style.bold), ("i", style.italic), ("u", style.underline)):
                on, off = (f"{on}\\{name}1", f"{off}\\{name}0") if is_on else (on, off)
            if style.colour:
                on, off = rf"{on}\c{in_ass(style.colour)}", rf"{off}\c"
            parts.append(f"{{{on}}}{escape(text)}{{{off}}}" if on else escape(text))
        lines.append("".join(parts))
    text = r"\N".join(lines)
    text = rf"{{\i1}}{text}{{\i0}}" if cue.italic else text
    if cue.place is None:
        return text
    point = ""
    if cue.place.at:
        across, down = cue.place.at[0] * width / 10_000, cue.place.at[1] * _SCRIPT_HEIGHT / 10_000
        point = rf"\pos({across:.3f},{down:.3f})"
    return rf"{{\an{cue.place.anchor}{point}}}{text}"


def _style(width: int, colour: tuple[int, int, int]) -> pysubs2.SSAStyle:
    # A narrow picture gets smaller letters, so that a line of the guide's length fits.
    size = min(_FONT_SIZE, width * _LINE_SHARE / (_LINE_LETTERS * _LETTER_WIDTH))
    scale = size / _FONT_SIZE  # small letters with a thick outline are not legible
    return pysubs2.SSAStyle(
        fontname=_FONT, fontsize=round(size), primarycolor=pysubs2.Color(*colour), outlinecolor=pysubs2.Color(0, 0, 0),
        backcolor=pysubs2.Color(0, 0, 0, 96), outline=round(_OUTLINE * scale, 1), shadow=round(scale, 1),
        alignment=pysubs2.Alignment.BOTTOM_CENTER,
        marginl=round(width * 0.05), marginr=round(width * 0.05), marginv=round(_SCRIPT_HEIGHT * 0.05),
    )  # fmt: skip


def _txt(sheet: CueSheet, aspect: float) -> str:
    """Return one line of text for each cue: its lines are joined, because they were only cut to fit a screen."""
    return "".join(f"{' '.join(cue.lines)}\n" for cue in sheet.cues)


_KINDS: dict[str, Callable[[CueSheet, float], str]] = {
    "srt": _srt,
    "vtt": _vtt,
    "ass": _ass,
    "ttml": lambda sheet, aspect: timed_text.write(sheet),
    "scc": lambda sheet, aspect: closed_captions.write(sheet),
    "txt": _txt,
}
