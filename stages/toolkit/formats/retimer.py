"""Replace the times of the cues in a subtitle file, and leave every other byte as it is.

SubRip, WebVTT and ASS are rewritten in place and in their own encoding: a file that is neither UTF-8 nor UTF-16 is
handled byte by byte. If the cues change their order, those of SubRip and WebVTT are moved, and their numbers stay in
order.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from shared.text.timecode import timecode
from stages.toolkit.formats.reader import kind_of_text
from stages.toolkit.formats.time_lines import TimeLine, read_times

Times = tuple[int, int]
"""The start and the end of a cue, in milliseconds."""

_MARKS = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_LINE = re.compile(r"(.*?)(\r\r\n|\r\n|\n|\r|$)", re.DOTALL)
_INSIDE = re.compile(r"<((?:\d+:)?\d\d:\d\d\.\d{3})>")  # the time at which a part of a WebVTT cue is shown
_DIALOGUE = re.compile(r"((?:Dialogue|Comment):\s*[^,]*,\s*)(-?\d+:\d+:\d+[.:]\d+)(\s*,\s*)(-?\d+:\d+:\d+[.:]\d+)(.*)")


def retime(data: bytes, moved: Sequence[tuple[Times, Times]]) -> tuple[str, bytes] | None:
    """Return the usual suffix of a file and its bytes with other times; None for a format whose times cannot be
    replaced in place.

    `moved` has the old and the new times of each cue. Events that are not cues, such as drawings in ASS, move with the
    nearest cue.
    """
    text, encoding, mark = _decoded(data)
    kind = kind_of_text(text) if text is not None else ""
    if text is None or encoding is None or kind not in {"srt", "vtt", "ass"}:
        return None
    new_times = _NewTimes(moved)
    made = _in_ass(text, new_times) if kind == "ass" else _in_blocks(text, kind, new_times)
    return None if made is None else (kind, mark + made.encode(encoding))


def _decoded(data: bytes) -> tuple[str | None, str | None, bytes]:
    """Return the text, its encoding and its byte order mark; a text of None if the file is not text."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data[len(mark) :].decode(encoding), encoding, mark
            except UnicodeDecodeError:
                return None, None, b""
    if b"\0" in data:
        return None, None, b""
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    try:
        return data[len(mark) :].decode(), "utf-8", mark
    except UnicodeDecodeError:
        return data[len(mark) :].decode("latin-1"), "latin-1", mark


class _NewTimes:
    """The new times of the cues of a file, to be requested in the order of the file."""

    def __init__(self, moved: Sequence[tuple[Times, Times]]) -> None:
        self._waiting: Mapping[Times, list[Times]] = defaultdict(list)
        for old, new in moved:
            self._waiting[old].append(new)
        self._moved = sorted(moved)
        self.size = len(moved)

    def new(self, old: Times) -> Times:
        """Return the new times of the next cue with these times, or those that the shift of the nearest cue gives."""
        if waiting := self._waiting.get(old):
            return waiting.pop(0)
        if not self._moved:
            return old
        at = bisect_left(self._moved, (old, old))
        near = self._moved[max(0, at - 1) : at + 1]
        (start, _), (new_start, _) = min(near, key=lambda anchor: abs(anchor[0][0] - old[0]))
        shift = new_start - start
        return max(0, old[0] + shift), max(0, old[1] + shift)


class _Block(NamedTuple):
    """A cue with its number and all lines up to the next cue."""

    start_ms: int
    head: tuple[str, ...]  # its number or name, with line ends
    body: tuple[str, ...]


def _in_blocks(text: str, kind: str, new_times: _NewTimes) -> str | None:
    """Return the text of SubRip or WebVTT with new times; None if it does not have the cues that were read."""
    parts = [(line, end) for line, end in _LINE.findall(text) if line or end]
    times = read_times([line for line, _ in parts], kind, [], negative=True)
    if len(times) != new_times.size:
        return None
    rows = sorted(times)
    heads = [row - 1 if _has_head(parts, row, kind) else row for row in rows]
    begin = "".join(line + end for line, end in parts[: heads[0] if heads else len(parts)])
    blocks = []
    for (row, head), until in zip(zip(rows, heads, strict=True), [*heads[1:], len(parts)], strict=True):
        time = times[row]
        new = new_times.new((time.start_ms, time.end_ms))
        line, end = parts[row]
        body = [_time_line(line, time, new, kind) + end]
        body += [_inside(line, new[0] - time.start_ms, kind) + end for line, end in parts[row + 1 : until]]
        blocks.append(_Block(new[0], tuple(line + end for line, end in parts[head:row]), tuple(body)))
    if all(times[row].start_ms <= times[other].start_ms for row, other in pairwise(rows)):
        blocks = _in_order(blocks)
    return begin + "".join("".join(block.head + block.body) for block in blocks)


def _has_head(parts: Sequence[tuple[str, str]], row: int, kind: str) -> bool:
    """Tell whether the line before a time line is the cue's number or, in WebVTT, its name."""
    before = parts[row - 1][0].strip() if row else ""
    return before.isdecimal() or (kind == "vtt" and bool(before) and row > 1 and not parts[row - 2][0].strip())


def _in_order(blocks: Sequence[_Block]) -> list[_Block]:
    """Return the blocks in order of time, each followed by an empty line, with the numbers in their old order."""
    ordered = sorted(blocks, key=lambda block: block.start_ms)
    if ordered == list(blocks):
        return ordered
    numbered = all(block.head and block.head[0].strip().isdecimal() for block in blocks)
    made = []
    for block, place in zip(ordered, blocks, strict=True):
        body = block.body
        if body[-1].strip():
            end = next((line[len(line.rstrip("\r\n")) :] for line in body if line.endswith(("\r", "\n"))), "\n")
            body = (*body[:-1], body[-1].rstrip("\r\n") + end, end)
        made.append(block._replace(head=place.head if numbered else block.head, body=body))
    return made


def _time_line(line: str, time: TimeLine, new: Times, kind: str) -> str:
    """Return a time line with other times and everything else unchanged; the same line if the times are the same."""
    if new == (time.start_ms, time.end_ms):
        return line
    start, end = (timecode(at) if kind == "srt" else timecode(at).replace(",", ".") for at in new)
    (first, last), (first_after, last_after) = time.spans
    return f"{line[:first]}{start}{line[last:first_after]}{end}{line[last_after:]}"


def _inside(line: str, shift_ms: int, kind: str) -> str:
    if kind != "vtt":
        return line

    def moved(match: re.Match[str]) -> str:
        hours, minutes, seconds = ["0", *match[1].split(":")][-3:]
        at = round(((int(hours) * 60 + int(minutes)) * 60 + float(seconds)) * 1000) + shift_ms
        return f"<{timecode(max(0, at)).replace(',', '.')}>"

    return _INSIDE.sub(moved, line)


def _in_ass(text: str, new_times: _NewTimes) -> str:
    return "".join(_ass_line(line, new_times) + end for line, end in _LINE.findall(text))


def _ass_line(line: str, new_times: _NewTimes) -> str:
    found = _DIALOGUE.fullmatch(line)
    if found is None:
        return line
    old = (_ass_ms(found[2]), _ass_ms(found[4]))
    start, end = new_times.new(old)
    if (start, end) == old:
        return line
    return f"{found[1]}{_ass_time(start)}{found[3]}{_ass_time(end)}{found[5]}"


def _ass_ms(text: str) -> int:
    hours, minutes, seconds, rest = re.split("[:.]", text.lstrip("-"))
    length = ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(rest.ljust(3, "0")[:3])
    return -length if text.startswith("-") else length


def _ass_time(at_ms: int) -> str:
    centiseconds = round(at_ms / 10)
    return (
        f"{centiseconds // 360_000}:{centiseconds // 6_000 % 60:02}:{centiseconds // 100 % 60:02}"
        f".{centiseconds % 100:02}"
    )
