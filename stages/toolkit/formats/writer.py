"""Cues as the text of subtitle files: SubRip, WebVTT and ASS by pysubs2, TTML and SCC by ttconv, and plain text.

What people say must pass through every format as it is, and every format has signs of its own that it might meet: a
backslash, a brace, an angle bracket, an arrow. Where a format has no way to write such a sign, a character of no width
keeps it from being read as a command.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable

import pysubs2

from shared.documents.cue import Cue, CueSheet
from stages.toolkit.formats import closed_captions, timed_text

WORD_JOINER = "\u2060"  # of no width
_TAG_OPENS = re.compile(r"<(?=[A-Za-z0-9./])")  # what some reader takes for the start of a tag, or of a time in one
_ARROW = "-->"

# The colours that the BBC's subtitle guidelines give to speakers, in their order.
_SPEAKER_COLOURS = ((255, 255, 255), (255, 255, 0), (0, 255, 255), (0, 255, 0))
_ITALIC_TAGS, _ITALIC_CODES = ("<i>", "</i>"), (r"{\i1}", r"{\i0}")
_SCRIPT_HEIGHT = 1080  # the unit of ASS: everything is in parts of a picture so high
_WIDE = 16 / 9
_FONT = "Arial"  # where it is not installed, players take what looks like it
_FONT_SIZE, _OUTLINE = 58, 3.0
_LINE_LETTERS, _LETTER_WIDTH, _LINE_SHARE = 42, 0.5, 0.9


def render(sheet: CueSheet, kind: str, aspect: float | None = None) -> str:
    """The text of a file; `kind` is its usual ending, `aspect` the width of the picture by its height.

    Raises `StageError` where the format cannot hold the sheet.
    """
    return _KINDS[kind](_clean(sheet), aspect or _WIDE)


def _clean(sheet: CueSheet) -> CueSheet:
    """The sheet without characters that no file may hold, and without lines and cues that show nothing."""
    cues = []
    for cue in sheet.cues:
        lines = tuple(line for line in map(_clean_line, cue.lines) if line)
        if lines:
            cues.append(cue.model_copy(update={"lines": lines}))
    return sheet.model_copy(update={"cues": tuple(cues)})


def _clean_line(line: str) -> str:
    kept = []
    for character in line:
        kind = unicodedata.category(character)
        if kind in {"Cc", "Zl", "Zp"}:
            kept.append(" ")
        elif kind != "Cs" and character not in "\ufffe\uffff":
            kept.append(character)
    return "".join(kept).strip()


def _srt(sheet: CueSheet, aspect: float) -> str:
    # Some readers take any arrow for the one between two times, and most take a tag for one.
    def escape(line: str) -> str:
        line = line.replace("\\", f"\\{WORD_JOINER}").replace(_ARROW, f"--{WORD_JOINER}>")
        return _TAG_OPENS.sub(f"<{WORD_JOINER}", line)

    return _by_pysubs2(sheet, "srt", escape, _ITALIC_TAGS)


def _vtt(sheet: CueSheet, aspect: float) -> str:
    def escape(line: str) -> str:
        return html.escape(line.replace("\\", f"\\{WORD_JOINER}"), quote=False)

    return _by_pysubs2(sheet, "vtt", escape, _ITALIC_TAGS)


def _by_pysubs2(sheet: CueSheet, kind: str, escape: Callable[[str], str], italic: tuple[str, str]) -> str:
    subtitles = pysubs2.SSAFile()
    for cue in sheet.cues:
        subtitles.append(_event(cue, escape, italic))
    text: str = subtitles.to_string(kind, keep_ssa_tags=True)
    return text


def _event(cue: Cue, escape: Callable[[str], str], italic: tuple[str, str]) -> pysubs2.SSAEvent:
    text = r"\N".join(map(escape, cue.lines))
    opened, closed = italic if cue.italic else ("", "")
    return pysubs2.SSAEvent(start=cue.start_ms, end=cue.end_ms, text=f"{opened}{text}{closed}")


def _ass(sheet: CueSheet, aspect: float) -> str:
    """One style for each speaker, in the order in which they speak first; the first has that of whoever is unknown."""

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
    for number, name in enumerate(["Default", *list(names.values())[1:]]):
        subtitles.styles[name] = _style(width, _SPEAKER_COLOURS[number % len(_SPEAKER_COLOURS)])
    for cue in sheet.cues:
        event = _event(cue, escape, _ITALIC_CODES)
        event.style = names.get(cue.speaker or "", "Default")
        event.name = cue.speaker or ""
        subtitles.append(event)
    text: str = subtitles.to_string("ass", header_notice="")
    return text


def _style(width: int, colour: tuple[int, int, int]) -> pysubs2.SSAStyle:
    # A narrow picture gets smaller letters, so that a line of a guide's length still fits.
    size = min(_FONT_SIZE, width * _LINE_SHARE / (_LINE_LETTERS * _LETTER_WIDTH))
    scale = size / _FONT_SIZE  # in a thick line around small letters nobody can read them
    return pysubs2.SSAStyle(
        fontname=_FONT, fontsize=round(size), primarycolor=pysubs2.Color(*colour), outlinecolor=pysubs2.Color(0, 0, 0),
        backcolor=pysubs2.Color(0, 0, 0, 96), outline=round(_OUTLINE * scale, 1), shadow=round(scale, 1),
        alignment=pysubs2.Alignment.BOTTOM_CENTER,
        marginl=round(width * 0.05), marginr=round(width * 0.05), marginv=round(_SCRIPT_HEIGHT * 0.05),
    )  # fmt: skip


def _txt(sheet: CueSheet, aspect: float) -> str:
    """A cue a line: its lines are joined, for they were only cut to fit a screen."""
    return "".join(f"{' '.join(cue.lines)}\n" for cue in sheet.cues)


_KINDS: dict[str, Callable[[CueSheet, float], str]] = {
    "srt": _srt,
    "vtt": _vtt,
    "ass": _ass,
    "ttml": lambda sheet, aspect: timed_text.write(sheet),
    "scc": lambda sheet, aspect: closed_captions.write(sheet),
    "txt": _txt,
}
