"""Find the lines of SubRip and WebVTT with the times of a cue, in all spellings that occur."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from shared.stage import StageError
from shared.text.timecode import timecode

ARROW = re.compile(r"-{1,3} ?>|[–—→]>?")
_TIME = re.compile(
    r"(?<![\d:])(?:(-?\d{1,3})\s*:\s*)?(-?\d{1,3})\s*:\s*(-?\d{1,2})(?:\s*[,.:;]\s*(-?\d{1,3}))?(?![\d:])"
)
_HUNDRED_HOURS_MS = 100 * 3_600_000


@dataclass(frozen=True)
class TimeLine:
    """The content of a time line. `settings` is the text after the times; `spans` are the places of the two times."""

    start_ms: int
    end_ms: int
    settings: str
    spans: tuple[tuple[int, int], tuple[int, int]]


def read_times(
    lines: Sequence[str], kind: str, repairs: list[str], *, negative: bool = False
) -> dict[int, TimeLine]:  # fmt: skip
    """Return the time lines by line number, and add unusual ones to `repairs`. Raises `StageError` if the times of one
    cannot be read. Text before time 0 is reported as left out unless `negative` times are kept."""
    found: dict[int, TimeLine] = {}
    wrong: dict[str, list[int]] = {
        "times are not written in full": [],
        "times are negative": [],
        "the cue ends before it begins": [],
        "hours are over 99": [],
    }
    for number, line in enumerate(lines):
        if not is_time_line(line):
            continue
        plain = _with_plain_digits(line)
        matches = list(_TIME.finditer(plain))[:2]
        times = [_milliseconds(match) for match in matches]
        if len(times) < 2 or times[0] is None or times[1] is None:
            raise StageError(
                "check.time",
                f"line {number + 1} should hold two times like `00:00:01,000 --> 00:00:02,500`,"
                f" and is {line.strip()[:80]!r}",
                "correct that line",
            )
        settings = plain[matches[1].end() :].strip() if kind == "vtt" else ""
        found[number] = TimeLine(times[0], times[1], settings, (matches[0].span(), matches[1].span()))
        if min(times[0], times[1]) < 0:
            wrong["times are negative"].append(number + 1)
        elif times[1] < times[0]:
            wrong["the cue ends before it begins"].append(number + 1)
        elif max(times[0], times[1]) >= _HUNDRED_HOURS_MS:
            wrong["hours are over 99"].append(number + 1)
        elif not line.replace(".", ",").startswith(f"{timecode(times[0])} --> {timecode(times[1])}"):
            wrong["times are not written in full"].append(number + 1)
    for what, numbers in wrong.items():
        if numbers:
            what += ": text before the beginning is left out" if "negative" in what and not negative else ""
            more = f" and {len(numbers) - 1} more" if numbers[1:] else ""
            repairs.append(f"{what}, on line {numbers[0]}{more}")
    return found


def is_time_line(line: str) -> bool:
    """Tell whether a line is meant to have the times of a cue: it has an arrow, and a digit and a colon before it."""
    arrow = ARROW.search(line)
    return arrow is not None and bool(re.match(r"\s*(?:\d+\s+)?[-\u2212]?\d+\s*:\s*-?\d", line[: arrow.start()]))


def _with_plain_digits(line: str) -> str:
    line = line.replace("\u2212", "-")
    return "".join(str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() else c for c in line)


def _milliseconds(match: re.Match[str]) -> int | None:
    """Return a time in milliseconds, `1:2.5` as 62,500; None if its minutes or seconds are above 59."""
    hours, minutes, seconds, rest = ((part or "0").lstrip("-") for part in match.groups())
    if int(minutes) > 59 or int(seconds) > 59:
        return None
    length = ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(rest.ljust(3, "0"))
    return -length if any((part or "").startswith("-") for part in match.groups()) else length
