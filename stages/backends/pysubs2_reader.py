"""Reads SubRip and WebVTT by pysubs2, whatever has happened to them, or says what cannot be read and where.

pysubs2 passes over what it does not understand. A check that did so would praise half a file, so the text is first
brought into a form in which nothing is passed over: one kind of line ends, and times written in full. What was put
right is told; a time that cannot be made out is refused with its line.
"""

from __future__ import annotations

import codecs
import html
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

import pysubs2

from shared.cue import Cue
from shared.guide import Limits
from shared.quality import QualityReport
from shared.stage import Device, StageError
from stages.backends.cue_rules import are_in_order, check
from stages.check import Film, Read

_MOST_BYTES = 64 << 20
_ARROW = re.compile(r"-{1,3} ?>|[–—→]>?")
_TIME = re.compile(r"(?:(\d{1,3})\s*:\s*)?(\d{1,3})\s*:\s*(\d{1,2})(?:\s*[,.:;]\s*(\d{1,3}))?(?![\d:])")
_TAG = re.compile(r"</?[A-Za-z0-9.][^<>\n]*>|<\d[\d:.]*>")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# A decoder that takes any byte but five, for files from before UTF-8 was everywhere.
_OLD = "cp1252"


class Pysubs2Reader:
    """Reads files and checks cues; holds nothing."""

    def read(self, subtitles: Path) -> Read:
        """The file's cues. Raises `StageError` where it is no subtitle file, or not to be made out."""
        repairs: list[str] = []
        text = _text(subtitles, repairs)
        kind = "vtt" if text.lstrip().startswith("WEBVTT") else "srt"
        plain = _with_full_times(text, kind, subtitles, repairs)
        if not plain:
            return Read((), tuple(repairs))
        events = pysubs2.SSAFile.from_string(plain, format_=kind, keep_html_tags=True)
        cues = tuple(_cue(event, kind) for event in events)
        if not are_in_order(cues):
            repairs.append("the cues are not in order of time")
        return Read(cues, tuple(repairs))

    def film(self, media: Path) -> Film:
        """The media's end and frame rate."""
        from stages.backends.probe import probe  # PyAV takes a third of a second, which most checks can do without

        found = probe(media)
        pictures = [track for track in found.tracks if track.kind == "video" and not track.cover]
        rate = next((track.frame_rate for track in pictures if track.frame_rate), None)
        return Film(None if found.length_is_guessed else found.duration_ms, rate)

    def check(self, cues: Sequence[Cue], language: str, limits: Limits, end_ms: int | None) -> QualityReport:
        """See `stages.backends.cue_rules.check`."""
        return check(cues, language, limits, end_ms)


def load(models: Mapping[str, Path], device: Device) -> Pysubs2Reader:
    """Nothing to load."""
    return Pysubs2Reader()


def _text(path: Path, repairs: list[str]) -> str:
    """The file as text with one kind of line ends."""
    if path.stat().st_size > _MOST_BYTES:
        raise StageError("check.too-large", f"{path.name} holds more than {_MOST_BYTES >> 20} MiB, and no subtitles do")
    data = path.read_bytes()
    text = _decoded(data, path, repairs)
    return text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")


def _decoded(data: bytes, path: Path, repairs: list[str]) -> str:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            if encoding != "utf-8":
                repairs.append("the file is UTF-16; many players want UTF-8")
            return data[len(bom) :].decode(encoding, errors="replace")
    if b"\0" in data:
        raise _no_subtitles(path, "bytes that are no text")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        repairs.append(f"the file is not UTF-8 (byte {error.start}); it is read as Windows-1252")
        return data.decode(_OLD, errors="replace")


def _with_full_times(text: str, kind: str, path: Path, repairs: list[str]) -> str:
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
                f"line {number + 1} of {path.name} should hold two times like `00:00:01,000 --> 00:00:02,500`,"
                f" and is {line.strip()[:80]!r}",
                "correct that line",
            )
        full = f"{times[0]} --> {times[1]}"
        if not line.replace(".", ",").startswith(full):
            rewritten.append(number + 1)
        lines[number] = full.replace(",", ".") if kind == "vtt" else full
    if not found and text.strip() and kind == "srt":
        raise _no_subtitles(path, f"{text.strip().splitlines()[0][:60]!r} and no time")
    if rewritten:
        repairs.append(f"times are not written in full, on line {rewritten[0]} first ({len(rewritten)} lines)")
    return "\n".join(lines) if found else ""


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


def _no_subtitles(path: Path, found: str) -> StageError:
    return StageError(
        "check.format",
        f"{path.name} should be SubRip or WebVTT, and holds {found}",
        "convert it first; of other kinds of subtitles, none is read",
    )


def _cue(event: pysubs2.SSAEvent, kind: str) -> Cue:
    text = _TAG.sub("", event.plaintext)
    lines = [line.strip() for line in (html.unescape(text) if kind == "vtt" else text).strip().split("\n")]
    return Cue(start_ms=event.start, end_ms=event.end, lines=tuple(line for line in lines if line))
