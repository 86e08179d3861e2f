"""Read subtitle files, including damaged ones, and report repairs.

SubRip, WebVTT and cue sheets are read by the project's own rules, ASS and older formats by pysubs2, TTML and SCC by
ttconv.

Most readers skip what they do not understand. A check with such a reader would approve half a file. So this reader
reports each repair, and refuses a time that it cannot read, with its line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pysubs2
from pydantic import ValidationError

from shared.documents.cue import Cue, CueSheet, ReadCues, Style
from shared.mistakes import first_mistake
from shared.stage import StageError
from stages.toolkit.cues.rules import are_in_order
from stages.toolkit.cues.styles import FOOT
from stages.toolkit.formats import closed_captions, older_formats, timed_text
from stages.toolkit.formats.encodings import decoded
from stages.toolkit.formats.markup_reader import read_ass, read_tagged
from stages.toolkit.formats.parsing import parsing
from stages.toolkit.formats.time_lines import ARROW, is_time_line, read_times

_MOST_BYTES = 64 << 20
_MOST_PIXELS = 100_000
_CONTROLS = re.compile(r"[\x01-\x08\x0e-\x19\x1b-\x1f\x7f]")  # never in a text; \x1a once marked the end of files
_XML = re.compile(r"<(\?xml|!--|tt\b|\w+:tt\b)")


def read(subtitles: Path, language: str | None = None, *, negative: bool = False) -> ReadCues:
    """Return the cues of a file. Raises `StageError` if it cannot be read as a subtitle.

    `language`, if it is known, decides the encoding of an old file. Cues before time 0 are kept only with `negative`.
    """
    notes = Notes(negative=negative)
    text = _text(subtitles, language, notes.repairs)
    kind = kind_of_text(text)
    cues = _READERS[kind](text, notes)
    if not are_in_order(cues):
        notes.repairs.append("the cues are not in order of time")
    return ReadCues(cues=cues, repairs=tuple(notes.repairs), left_out=tuple(notes.left_out), format=kind)


@dataclass(frozen=True)
class Notes:
    """Notes on a file: its repairs, and the markup that a cue cannot hold (as keys)."""

    repairs: list[str] = field(default_factory=list)
    left_out: dict[str, None] = field(default_factory=dict)
    negative: bool = False  # negative times are kept


def kind_of_text(text: str) -> str:
    """Return the format of a file by its beginning, because its name is often wrong."""
    begin = text.lstrip()[:4000]
    if begin.startswith("WEBVTT"):
        return "vtt"
    if begin.startswith("Scenarist_SCC"):
        return "scc"
    if begin.startswith("{") and '"cues"' in begin:
        return "json"
    if begin.startswith("[Script Info]"):
        return "ass"
    if older := older_formats.kind_of(begin):
        return older
    return "ttml" if _XML.match(begin) else "srt"


def _text(path: Path, language: str | None, repairs: list[str]) -> str:
    """Return the file as text with `\\n` as the only line end."""
    if path.stat().st_size > _MOST_BYTES:
        raise StageError("check.too-large", f"the file holds more than {_MOST_BYTES >> 20} MiB, and no subtitles do")
    text = decoded(path.read_bytes(), language, repairs, lambda data: _without_zeros(data, repairs))
    return text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")


def _without_zeros(data: bytes, repairs: list[str]) -> str:
    """Return the text of a file with zero bytes: UTF-16 without a mark, or a file damaged by a crash or a bad disk."""
    for encoding, zeros, letters in (("utf-16-le", data[1::2], data[::2]), ("utf-16-be", data[::2], data[1::2])):
        # Each ASCII letter has a zero byte, always the same of its two; damage has zeros in both.
        if zeros.count(0) * 10 > len(zeros) and letters.count(0) * 20 < zeros.count(0):
            repairs.append("the file is UTF-16 without a mark; many players expect UTF-8")
            return data.decode(encoding, errors="replace")
    try:
        text = data.replace(b"\0", b"").decode()
    except UnicodeDecodeError as error:
        raise _no_subtitles("bytes that are not text") from error
    if _CONTROLS.search(text) or (kind_of_text(text) == "srt" and not ARROW.search(text)):
        raise _no_subtitles("bytes that are not text")
    repairs.append(f"{data.count(0)} bytes of zero are left out; text may be lost where they stand")
    return text


def _read_ass(text: str, notes: Notes) -> tuple[Cue, ...]:
    if "[events]" not in text.lower():
        raise _no_subtitles("[Script Info] without [Events]")
    with parsing("the ASS file", "export it again"):
        file = pysubs2.SSAFile.from_string(text, format_="ass")
        events = file.get_text_events()
    if dropped := text.count("\nDialogue:") - len(events):
        notes.repairs.append(f"{dropped} of its lines are drawings or cannot be parsed")
    return _cues_of(file, events, notes)


def _read_older(kind: str) -> Callable[[str, Notes], tuple[Cue, ...]]:
    def read_it(text: str, notes: Notes) -> tuple[Cue, ...]:
        file = older_formats.read(text, kind, notes.repairs)
        return _cues_of(file, file.get_text_events(), notes)

    return read_it


def _cues_of(file: pysubs2.SSAFile, events: Sequence[pysubs2.SSAEvent], notes: Notes) -> tuple[Cue, ...]:
    """Return the events of a file as cues."""
    # The colour and weight of a style are those of the whole file or of a speaker; italics and places have a meaning.
    styles = {name: Style(italic=bool(style.italic)) for name, style in file.styles.items()}
    screen = tuple(_number(file.info.get(name), default) for name, default in (("PlayResX", 384), ("PlayResY", 288)))
    cues = []
    for event in events:
        anchor = int(file.styles[event.style].alignment) if event.style in file.styles else FOOT
        fields = read_ass(event.text, styles, event.style, anchor, (screen[0], screen[1]), notes.left_out)
        cues.append(_cue(event, {**fields, "speaker": event.name or None}))
    return tuple(cues)


def _number(text: str | None, default: int) -> float:
    """Return a size from the file's header; the default if it is missing or not a size."""
    try:
        number = float(text or default)
    except ValueError:
        return default
    return number if 0 < number < _MOST_PIXELS else default


def _read_json(text: str, notes: Notes) -> tuple[Cue, ...]:
    try:
        return CueSheet.model_validate_json(text).cues
    except ValidationError as error:
        raise StageError("check.format", f"the cue sheet is wrong: {first_mistake(error)}", "correct it") from error


def _read_timed(kind: str) -> Callable[[str, Notes], tuple[Cue, ...]]:
    def read_it(text: str, notes: Notes) -> tuple[Cue, ...]:
        lines = text.split("\n")
        times = read_times(lines, kind, notes.repairs, negative=notes.negative)
        if not times and text.strip() and kind == "srt":
            raise _no_subtitles(f"no times, and {text.strip().splitlines()[0][:60]!r} first")
        texts = _texts_of_vtt(lines, times, notes.repairs) if kind == "vtt" else _texts_of_srt(lines, times)
        return tuple(
            Cue.model_validate(
                {
                    "start_ms": time.start_ms if notes.negative else max(time.start_ms, 0),
                    "end_ms": time.end_ms if notes.negative else max(time.end_ms, 0),
                    **read_tagged(marked.replace(r"\N", "\n"), kind, time.settings, notes.left_out),
                }
            )
            for time, marked in zip(times.values(), texts, strict=True)
            if time.end_ms > 0 or time.start_ms >= 0 or notes.negative
        )

    return read_it


def _texts_of_srt(lines: Sequence[str], times: Collection[int]) -> Iterator[str]:
    """Yield the text after each time line, without the number of the next cue."""
    edges = [*times, len(lines)]
    for start, end in pairwise(edges):
        text_lines = list(lines[start + 1 : end])
        while text_lines and not text_lines[-1].strip():
            del text_lines[-1]
        # After the last cue, a number follows a blank line only if the file was cut off; otherwise it is text.
        is_number = len(text_lines) > 1 and text_lines[-1].strip().isdecimal()
        if is_number and (end < len(lines) or not text_lines[-2].strip()):
            del text_lines[-1]
        yield "\n".join(text_lines).strip()


def _texts_of_vtt(lines: Sequence[str], times: Collection[int], repairs: list[str]) -> list[str]:
    """Return the text after each time line up to a blank line, and report text that belongs to no cue."""
    found: list[list[str]] = []
    inside, lost = False, []
    for number, line in enumerate(lines):
        if number in times:
            found.append([])
            inside = True
        elif inside:
            inside = bool(line.strip())
            found[-1].append(line)
        elif line.strip() and found and not _is_aside(lines, number):
            lost.append(number + 1)
    if lost:
        repairs.append(f"text after a blank line belongs to no cue, on line {lost[0]} first ({len(lost)} lines)")
    return ["\n".join(block).strip() for block in found]


def _is_aside(lines: Sequence[str], number: int) -> bool:
    """Tell whether a line between two cues is the name of a cue, or part of a note, a style sheet or a region."""
    following = lines[number + 1] if number + 1 < len(lines) else ""
    if is_time_line(following):
        return True
    first = number
    while first and lines[first - 1].strip():
        first -= 1
    return lines[first].startswith(("NOTE", "STYLE", "REGION"))


def _no_subtitles(found: str) -> StageError:
    return StageError(
        "check.format",
        f"expected a subtitle file, found {found}",
        "convert it to SubRip first; WebVTT, ASS, TTML, SCC and cue sheets of reel are read too",
    )


def _cue(event: pysubs2.SSAEvent, fields: Mapping[str, object]) -> Cue:
    return Cue.model_validate({"start_ms": event.start, "end_ms": event.end, **fields})


_READERS: dict[str, Callable[[str, Notes], tuple[Cue, ...]]] = {
    "srt": _read_timed("srt"),
    "vtt": _read_timed("vtt"),
    "ass": _read_ass,
    "ttml": lambda text, notes: timed_text.read(text),
    "scc": lambda text, notes: closed_captions.read(text),
    "json": _read_json,
    **{kind: _read_older(kind) for kind in older_formats.KINDS},
}
