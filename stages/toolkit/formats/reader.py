"""Reads subtitle files, whatever has happened to them, or says what cannot be read and where.

SubRip, WebVTT and ASS by pysubs2, TTML and SCC by ttconv, and cue sheets of our own.

pysubs2 passes over what it does not understand. A check that did so would praise half a file, so the text is first
brought into a form in which nothing is passed over: one kind of line ends, and times written in full. What was put
right is told; a time that cannot be made out is refused with its line.
"""

from __future__ import annotations

import codecs
import html
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pysubs2
from pydantic import ValidationError

from shared.documents.cue import Cue, CueSheet, ReadCues
from shared.stage import StageError
from stages.toolkit.cues.rules import are_in_order
from stages.toolkit.formats import closed_captions, timed_text
from stages.toolkit.formats.writer import WORD_JOINER

_MOST_BYTES = 64 << 20
_ARROW = re.compile(r"-{1,3} ?>|[–—→]>?")
_TIME = re.compile(r"(?:(\d{1,3})\s*:\s*)?(\d{1,3})\s*:\s*(\d{1,2})(?:\s*[,.:;]\s*(\d{1,3}))?(?![\d:])")
_XML = re.compile(r"<(\?xml|!--|tt\b|\w+:tt\b)")
# What is a sign of ASS and not a letter; the parts in brackets are kept by `split`.
_ASS_SIGN = re.compile(r"(\\[Nnh{}]|\{[^}]*\})")
_ASS_COMMAND = re.compile(rf"\{{\\(?!{WORD_JOINER})[^}}]*\}}")  # many players take these in SubRip too
_ASS_LETTERS = {r"\N": "\n", r"\n": " ", r"\h": "\u00a0", r"\{": "{", r"\}": "}"}
_JOINED = re.compile(rf"(?<=[\\<-]){WORD_JOINER}")  # as our own files keep a sign from being a command
_TAG = re.compile(r"</?[A-Za-z0-9.][^<>\n]*>|<\d[\d:.]*>")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# A decoder that takes any byte but five, for files from before UTF-8 was everywhere.
_OLD = "cp1252"


def read(subtitles: Path) -> ReadCues:
    """The file's cues. Raises `StageError` where it is no subtitle file, or not to be made out."""
    repairs: list[str] = []
    text = _text(subtitles, repairs)
    cues = _READERS[_kind(text)](text, repairs)
    if not are_in_order(cues):
        repairs.append("the cues are not in order of time")
    return ReadCues(cues=cues, repairs=tuple(repairs))


def _kind(text: str) -> str:
    """The format, by how the file begins: names are often wrong."""
    begin = text.lstrip()[:4000]
    if begin.startswith("WEBVTT"):
        return "vtt"
    if begin.startswith("Scenarist_SCC"):
        return "scc"
    if begin.startswith("{") and '"cues"' in begin:
        return "json"
    if begin.startswith("[Script Info]"):
        return "ass"
    return "ttml" if _XML.match(begin) else "srt"


def _text(path: Path, repairs: list[str]) -> str:
    """The file as text with one kind of line ends."""
    if path.stat().st_size > _MOST_BYTES:
        raise StageError("check.too-large", f"the file holds more than {_MOST_BYTES >> 20} MiB, and no subtitles do")
    data = path.read_bytes()
    text = _decoded(data, repairs)
    return text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")


def _decoded(data: bytes, repairs: list[str]) -> str:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            if encoding != "utf-8":
                repairs.append("the file is UTF-16; many players want UTF-8")
            return data[len(bom) :].decode(encoding, errors="replace")
    if b"\0" in data:
        raise _no_subtitles("bytes that are no text")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        repairs.append(f"the file is not UTF-8 (byte {error.start}); it is read as Windows-1252")
        return data.decode(_OLD, errors="replace")


def _read_timed(kind: str) -> Callable[[str, list[str]], tuple[Cue, ...]]:
    def read_it(text: str, repairs: list[str]) -> tuple[Cue, ...]:
        plain = _with_full_times(text, kind, repairs)
        if not plain:
            return ()
        events = pysubs2.SSAFile.from_string(plain, format_=kind, keep_html_tags=True)
        return tuple(_cue(event, kind) for event in events)

    return read_it


def _read_ass(text: str, repairs: list[str]) -> tuple[Cue, ...]:
    if "[events]" not in text.lower():
        raise _no_subtitles("[Script Info] and no [Events]")
    try:
        events = pysubs2.SSAFile.from_string(text, format_="ass").get_text_events()
    except (ValueError, pysubs2.Pysubs2Error) as error:
        raise StageError("check.format", f"the ASS cannot be made out: {error}", "export it anew") from error
    if dropped := text.count("\nDialogue:") - len(events):
        repairs.append(f"{dropped} lines of it are drawings or cannot be made out")
    return tuple(
        Cue(start_ms=event.start, end_ms=event.end, lines=_lines(_plain_ass(event.text)), speaker=event.name or None)
        for event in events
    )


def _plain_ass(text: str) -> str:
    """The words of an event: without commands, with the braces that were written as letters."""
    parts = _ASS_SIGN.split(text)
    for index in range(1, len(parts), 2):
        parts[index] = _ASS_LETTERS.get(parts[index], "")
    return _JOINED.sub("", "".join(parts))


def _read_json(text: str, repairs: list[str]) -> tuple[Cue, ...]:
    try:
        return CueSheet.model_validate_json(text).cues
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the document"
        raise StageError("check.format", f"the cue sheet is wrong at {place}: {first['msg']}", "correct it") from error


_READERS: dict[str, Callable[[str, list[str]], tuple[Cue, ...]]] = {
    "srt": _read_timed("srt"),
    "vtt": _read_timed("vtt"),
    "ass": _read_ass,
    "ttml": lambda text, repairs: timed_text.read(text),
    "scc": lambda text, repairs: closed_captions.read(text),
    "json": _read_json,
}


def _with_full_times(text: str, kind: str, repairs: list[str]) -> str:
    """The text from its first time line on, with all of them in one form; empty when it holds no cue."""
    lines = text.split("\n")
    found = 0
    rewritten: list[int] = []
    for number, line in enumerate(lines):
        if not _is_time_line(line):
            continue
        found += 1
        times = [_full_time(match) for match in _TIME.finditer(_with_plain_digits(line))]
        if len(times) < 2 or None in times[:2] or re.match(r"\s*-\s*\d", line):
            raise StageError(
                "check.time",
                f"line {number + 1} should hold two times like `00:00:01,000 --> 00:00:02,500`,"
                f" and is {line.strip()[:80]!r}",
                "correct that line",
            )
        full = f"{times[0]} --> {times[1]}"
        if not line.replace(".", ",").startswith(full):
            rewritten.append(number + 1)
        lines[number] = full.replace(",", ".") if kind == "vtt" else full
    if not found and text.strip() and kind == "srt":
        raise _no_subtitles(f"{text.strip().splitlines()[0][:60]!r} and no time")
    if rewritten:
        repairs.append(f"times are not written in full, on line {rewritten[0]} first ({len(rewritten)} lines)")
    if not found:
        return ""
    return "\n".join(_only_cues(lines, repairs) if kind == "vtt" else [*lines, *_end_of_srt(lines)])


def _only_cues(lines: list[str], repairs: list[str]) -> list[str]:
    """The cues of a WebVTT file, each under a number, so that pysubs2 takes no last line of a text for one."""
    kept, inside, lost = ["WEBVTT", ""], False, []
    for number, line in enumerate(lines):
        if _is_time_line(line):
            kept += ["", "0", line]
            inside = True
        elif inside:
            kept.append(line)
            inside = bool(line.strip())
        elif line.strip() and kept[2:] and not _is_aside(lines, number):
            lost.append(number + 1)
    if lost:
        repairs.append(f"text after a blank line belongs to no cue, on line {lost[0]} first ({len(lost)} lines)")
    return [*kept, "", "0", ""]


def _is_aside(lines: list[str], number: int) -> bool:
    """Whether a line between two cues is a cue's name, or in a block that starts with a word of its own."""
    following = lines[number + 1] if number + 1 < len(lines) else ""
    if _is_time_line(following):
        return True
    first = number
    while first and lines[first - 1].strip():
        first -= 1
    return lines[first].startswith(("NOTE", "STYLE", "REGION"))


def _end_of_srt(lines: list[str]) -> list[str]:
    """A number after the last cue, so that pysubs2 takes no last line of its text for one."""
    last = next((number for number in range(len(lines) - 1, -1, -1) if lines[number].strip()), 0)
    is_cut_off = last > 0 and not lines[last - 1].strip() and lines[last].strip().isdecimal()
    return [] if is_cut_off else ["", "0", ""]


def _is_time_line(line: str) -> bool:
    """Whether a line means to say when a cue comes and goes: an arrow, and a digit and a colon before it."""
    arrow = _ARROW.search(line)
    return arrow is not None and bool(re.match(r"\s*-?(?:\d+\s+)?\d+\s*:\s*\d", line[: arrow.start()]))


def _with_plain_digits(line: str) -> str:
    return "".join(str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() else c for c in line)


def _full_time(match: re.Match[str]) -> str | None:
    """`1:2.5` as `00:01:02,500`; None for one that no clock shows."""
    hours, minutes, seconds = int(match[1] or 0), int(match[2]), int(match[3])
    if hours > 99 or minutes > 59 or seconds > 59:
        return None
    return f"{hours:02d}:{minutes:02d}:{seconds:02d},{(match[4] or '0').ljust(3, '0')}"


def _no_subtitles(found: str) -> StageError:
    return StageError(
        "check.format",
        f"the file should be subtitles, and holds {found}",
        "convert it to SubRip first; WebVTT, ASS, TTML, SCC and cue sheets of reel are read too",
    )


def _cue(event: pysubs2.SSAEvent, kind: str) -> Cue:
    text = event.text.replace(r"\N", "\n")
    text = _TAG.sub("", text if kind == "vtt" else _ASS_COMMAND.sub("", text))
    text = _JOINED.sub("", html.unescape(text) if kind == "vtt" else text)
    return Cue(start_ms=event.start, end_ms=event.end, lines=_lines(text))


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().split("\n") if line.strip())
